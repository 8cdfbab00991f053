"""An engine's life in Python: start, close, misuse, garbage collection."""

import gc
import os
import pickle
import threading
import time
import unittest
import warnings
import weakref
from datetime import timedelta
from typing import Any, Callable, List

import posthaste
from binding_case import MESSAGE, BindingCase, shut


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class Life(BindingCase):
    def test_leaving_the_block_closes_and_delivers_what_was_pushed(self) -> None:
        receiver = self.receiver()
        with posthaste.Engine() as engine:
            engine.put("hook", {"name": "hook", "target": receiver.url, "events": ["delivery"]})
            engine.push("delivery", MESSAGE)
        self.assertEqual(len(receiver.events()), 1)
        self.assertEqual([report.kind for report in engine.reports()], ["delivered"])

    def test_the_block_starts_an_engine_that_is_not_started_and_leaves_a_started_one(self) -> None:
        engine = posthaste.Engine()
        engine.start()
        with engine as same:
            self.assertIs(same, engine)

    def test_what_the_block_raised_is_not_hidden_by_what_close_says(self) -> None:
        with self.assertRaises(KeyError):
            with self.hanging(close_timeout=0.1):
                raise KeyError("mine")

    def test_leaving_the_block_with_undelivered_events_raises_timed_out(self) -> None:
        started = time.monotonic()
        with self.assertRaises(posthaste.TimedOut):
            with self.hanging(close_timeout=0.2):
                pass
        self.assertLess(time.monotonic() - started, 5)

    def test_a_second_start_is_refused_and_a_second_close_does_nothing(self) -> None:
        engine = self.engine()
        self.raised(posthaste.State, engine.start)
        engine.close()
        engine.close()
        self.raised(posthaste.State, engine.start)

    def test_calls_before_start_and_after_close_raise_state(self) -> None:
        engine = posthaste.Engine()
        for payload in (MESSAGE, b"{}"):
            self.raised(posthaste.State, engine.push, "delivery", payload)
        self.raised(posthaste.State, engine.flush)
        self.assertEqual(engine.fileno(), -1)
        engine.start()
        engine.close()
        for payload in (MESSAGE, b"{}"):
            self.raised(posthaste.State, engine.push, "delivery", payload)
        for call in (engine.flush, engine.flush_ticket, engine.key_list):
            self.raised(posthaste.State, call)
        self.assertIsNone(engine.poll())
        self.assertEqual(engine.list(), [])

    def test_put_and_define_type_work_before_start(self) -> None:
        receiver = self.receiver()
        engine = posthaste.Engine()
        engine.define_type("greylisted", "message_event")
        engine.put("hook", {"name": "hook", "target": receiver.url, "events": "greylisted"})
        with engine:
            self.raised(posthaste.State, engine.define_type, "other", "message_event")
            engine.push("greylisted", MESSAGE)
        self.assertEqual(receiver.events()[0]["type"], "greylisted")

    def test_arguments_of_the_wrong_type_never_reach_the_library(self) -> None:
        engine = self.engine()
        wrong: Any = 5
        late: Any = "1"
        thing: Any = object()
        number: Any = b"delivery"
        nothing: Any = None
        calls: List[Callable[[], Any]] = [
            lambda: engine.push(wrong, MESSAGE), lambda: engine.push("delivery", wrong),
            lambda: engine.push("delivery", nothing), lambda: engine.push(number, MESSAGE),
            lambda: engine.put(nothing, {}), lambda: engine.put("a", nothing), lambda: engine.find(wrong),
            lambda: engine.get(nothing), lambda: engine.set("batch.max_age", thing),
            lambda: posthaste.Webhook({"events": [wrong]}), lambda: posthaste.Engine(wrong),
            lambda: engine.push_event(nothing), lambda: engine.flush(timeout=late),
            lambda: posthaste.Event(wrong), lambda: engine.push_many("delivery", [wrong])]
        for call in calls:
            with self.assertRaises((TypeError, AttributeError)):
                call()

    def test_a_nul_character_is_refused_rather_than_cut_at(self) -> None:
        engine = self.engine()
        calls: List[Callable[[], Any]] = [
            lambda: engine.push("delivery\0x", MESSAGE), lambda: engine.find("a\0b"),
            lambda: engine.wants("a\0"), lambda: posthaste.Engine({"batch.max_age\0": "1s"}),
            lambda: posthaste.Webhook({"name": "a\0b"})]
        for call in calls:
            with self.assertRaisesRegex(ValueError, "NUL"):
                call()

    def test_time_outs_are_seconds_and_checked(self) -> None:
        engine = self.engine()
        engine.flush(timeout=None)
        engine.flush(timeout=1e12)
        for wrong in (-1, float("nan")):
            self.raised(ValueError, engine.flush, timeout=wrong)
        self.raised(ValueError, posthaste.Engine, close_timeout=-1)

    def test_settings_take_pythons_values(self) -> None:
        engine = self.engine({"batch.max_age": timedelta(seconds=1.5), "batch.max_events": 7, "request.keep_alive": False,
                              "report.kinds": ["delivered", "dropped"], "tls.ca_file": None})
        self.assertEqual([engine.get(key) for key in ("batch.max_age", "batch.max_events", "request.keep_alive",
                                                      "report.kinds")], ["1500ms", "7", "off", "delivered,dropped"])
        engine.set("batch.max_age", "2s")
        self.assertEqual(engine.get("batch.max_age"), "2s")

    def test_an_engine_cannot_be_pickled(self) -> None:
        for thing in (posthaste.Engine(), posthaste.Webhook(), posthaste.Event("delivery")):
            self.assertRaisesRegex(TypeError, "cannot be pickled", pickle.dumps, thing)

    def test_an_engine_that_nobody_refers_to_is_freed_with_its_threads_and_descriptors(self) -> None:
        self.engine().close()  # what the process opens once is open now
        before = open_descriptors(), native_threads()
        for _ in range(20):
            engine = posthaste.Engine()
            engine.start()
            engine.push("delivery", MESSAGE)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                del engine
        gc.collect()
        self.assertEqual((open_descriptors(), native_threads()), before)

    def test_an_engine_dropped_without_close_gives_a_resource_warning(self) -> None:
        engine = posthaste.Engine()
        engine.start()
        with self.assertWarnsRegex(ResourceWarning, "Engine was not closed"):
            del engine
            gc.collect()
        engine = posthaste.Engine()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            del engine
            gc.collect()

    def test_cycles_of_engines_and_objects_in_a_thread_are_collected(self) -> None:
        seen = []

        def run() -> None:
            engine: Any = posthaste.Engine()
            webhook: Any = posthaste.Webhook({"name": "a"})
            engine.mine, webhook.owner = webhook, engine
            seen.append(weakref.ref(engine))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        gc.collect()
        self.assertIsNone(seen[0]())

    def test_close_in_one_thread_ends_the_pushes_of_others_by_state(self) -> None:
        engine = self.engine()
        ends = []

        def push() -> None:
            try:
                while True:
                    engine.push("delivery", b"{}")
            except posthaste.State as error:
                ends.append(error.name)

        threads = [threading.Thread(target=push) for _ in range(4)]
        for thread in threads:
            thread.start()
        engine.close(5)
        for thread in threads:
            thread.join(10)
        self.assertEqual(ends, ["POSTHASTE_E_STATE"] * 4)

    def test_the_library_says_its_version_and_its_keys(self) -> None:
        self.assertEqual(posthaste.library_version(), posthaste.__version__)
        self.assertEqual(posthaste.library_path(), os.environ["POSTHASTE_LIBRARY"])
        self.assertEqual(posthaste.describe("batch.max_age")["default"], "30s")
        self.assertIn("batch.max_age", [key["key"] for key in posthaste.describe_all()])
        self.assertEqual(self.raised(posthaste.UnknownKey, posthaste.describe, "no.such").key, "no.such")

    def hanging(self, **options: Any) -> posthaste.Engine:
        """An engine with an event for a receiver that never answers."""
        receiver = self.receiver("--rule", "stop-at=before-head")
        engine = posthaste.Engine({"batch.max_age": "1ms"}, **options)
        engine.put("hook", {"name": "hook", "target": receiver.url, "events": "*"})
        engine.start()
        self.addCleanup(shut, engine)
        engine.push("delivery", MESSAGE)
        return engine


def native_threads() -> int:
    return len(os.listdir("/proc/self/task"))


if __name__ == "__main__":
    unittest.main()
