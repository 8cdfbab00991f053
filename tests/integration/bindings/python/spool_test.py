"""Durable mode, exports, dead letters, and producers from Python."""

import os
import threading
import unittest
from typing import Any, Dict, List

import posthaste
from binding_case import MESSAGE, BindingCase, events_of, reports_of
from waiting import wait_until


class Spool(BindingCase):
    def standing(self, **settings: Any) -> posthaste.Engine:
        """An engine in durable mode that sends nothing, with one batch of three events."""
        engine = self.engine({"spool.dir": self.folder + "/spool", "delivery": "off", **settings})
        engine.put("hook", {"name": "hook", "target": "http://127.0.0.1:1/", "events": "*"})
        for index in range(3):
            engine.push("delivery", {"index": index})
        engine.flush()
        engine.sync()
        return engine

    def test_what_was_synced_goes_out_after_a_kill(self) -> None:
        receiver = self.receiver()
        self.run_python("""
            import os, signal, sys, posthaste
            engine = posthaste.Engine({"spool.dir": sys.argv[1]})
            engine.put("hook", {"name": "hook", "target": sys.argv[2], "events": "*"})
            engine.start()
            engine.push("delivery", {"index": 1})
            engine.sync()
            os.kill(os.getpid(), signal.SIGKILL)
        """, self.folder + "/spool", receiver.url, expected_status=-9)
        with posthaste.Engine({"spool.dir": self.folder + "/spool"}) as engine:
            engine.flush()
            self.assertEqual(events_of(receiver, 1)[0]["index"], 1)

    def test_a_waiting_batch_is_listed_exported_and_purged(self) -> None:
        engine = self.standing()
        batch, = engine.waiting_list(webhook_id="hook")
        self.assertEqual(batch["events"], 3)
        self.assertEqual(engine.waiting_find(batch["batch_id"]), batch)
        self.assertEqual(engine.waiting_list(after=batch["sequence"]), [])
        self.assertEqual(engine.waiting_list(before_ms=1), [])
        pieces: List[bytes] = []
        self.assertEqual(engine.batch_export(batch["batch_id"], pieces.append), 3)
        self.assertEqual(b"".join(pieces).count(b"\n"), 3)
        records = list(engine.batch_records(batch["batch_id"]))
        self.assertEqual([record["msys"]["message_event"]["index"] for record in records], [0, 1, 2])
        self.raised(posthaste.NotFound, engine.batch_export, "none", pieces.append)
        self.raised(posthaste.NotFound, lambda: next(engine.batch_records("none")))
        self.assertEqual(engine.spool_check(), [])
        self.assertEqual(engine.purge("hook"), (1, 3))
        self.assertEqual(next(reports_of(engine, "dropped")).reason, "purged")

    def test_what_the_export_function_raises_comes_out(self) -> None:
        engine = self.standing()
        batch = engine.waiting_list()[0]["batch_id"]

        def fail(_piece: bytes) -> None:
            raise KeyError("mine")

        self.assertEqual(self.raised(KeyError, engine.batch_export, batch, fail).args, ("mine",))
        caught: List[BaseException] = []

        def run() -> None:
            try:
                engine.batch_export(batch, fail)
            except KeyError as error:
                caught.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(10)
        self.assertEqual(len(caught), 1)

    def test_an_exported_batch_is_pushed_again_as_it_was(self) -> None:
        receiver = self.receiver()
        engine = self.standing()
        records = list(engine.batch_records(engine.waiting_list()[0]["batch_id"]))
        other = self.delivering(receiver)
        for record in records:
            other.push_enveloped(record)
        other.flush()
        self.assertEqual([event["event_id"] for event in receiver.events()],
                         [record["msys"]["message_event"]["event_id"] for record in records])

    def test_memory_mode_refuses_what_needs_a_spool(self) -> None:
        engine = self.engine()
        for call in (engine.waiting_list, engine.dead_letter_list, engine.dead_letter_replay, engine.spool_check,
                     engine.sync):
            self.raised(posthaste.State, call)

    def test_dead_letters_are_listed_replayed_and_removed(self) -> None:
        receiver = self.receiver("--rule", "first=2;status=500")
        engine = self.engine({"spool.dir": self.folder + "/spool", "retry.max_age": "1ms", "retry.base": "1ms",
                              "dead_letter": "on"})
        engine.put("hook", {"name": "hook", "target": receiver.url, "events": "*"})
        engine.push("delivery", MESSAGE)
        engine.flush()
        report = next(reports_of(engine, "dead_lettered"))
        wait_until(lambda: engine.dead_letter_list(status=500), "the dead letter")
        letter, = engine.dead_letter_list(webhook_id="hook")
        self.assertEqual((letter["batch_id"], engine.dead_letter_find(report.batch_id)), (report.batch_id, letter))
        self.raised(posthaste.UnknownKey, engine.dead_letter_list, nonsense=1)
        self.assertEqual(engine.dead_letter_replay(webhook_id="hook"), 1)
        self.assertEqual(engine.dead_letter_remove(), 0)
        engine.retry_now()

    def test_a_second_engine_on_the_same_spool_is_refused(self) -> None:
        self.standing()
        self.raised(posthaste.PosthasteError, self.engine, {"spool.dir": self.folder + "/spool"})


class Producers(BindingCase):
    def deliver(self) -> List[Dict[str, Any]]:
        """What an engine on the spool delivers: the events of three."""
        receiver = self.receiver()
        engine = posthaste.Engine({"spool.dir": self.folder + "/spool", "batch.max_age": "1ms"})
        engine.put("hook", {"name": "hook", "target": receiver.url, "events": "*"})
        with engine:
            return events_of(receiver, 3)

    def test_a_producer_writes_for_an_engine_in_another_process(self) -> None:
        with posthaste.Engine({"spool.dir": self.folder + "/spool"}) as engine:
            engine.put("hook", {"name": "hook", "target": "http://127.0.0.1:1/", "events": "*"})
        del engine  # and with it the lock on the directory
        with posthaste.Producer(self.folder + "/spool") as producer:
            self.assertEqual(producer.library.path, os.environ["POSTHASTE_PRODUCER_LIBRARY"])
            self.assertTrue(producer.wants("delivery"))
            producer.push("delivery", {"index": 1})
            producer.push("delivery", b'{"index":2}')
            event = producer.new_event("delivery")
            event["index"] = 3
            producer.push_event(event)
            self.raised(ValueError, producer.push_event, posthaste.Event("delivery"))
            self.raised(posthaste.UnknownType, producer.push, "nonsense", {})
            producer.sync()
        self.raised(posthaste.State, producer.push, "delivery", b"{}")
        self.assertEqual([event["index"] for event in self.deliver()], [1, 2, 3])

    def test_a_producer_goes_on_in_forked_children(self) -> None:
        self.run_python("""
            import os, sys, posthaste
            producer = posthaste.Producer(sys.argv[1])
            producer.start()
            producer.push("delivery", {"who": 0})
            for who in (1, 2):
                child = os.fork()
                if not child:
                    producer.push("delivery", {"who": who})
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
            producer.close()
        """, self.folder + "/spool")
        self.assertEqual(sorted(event["who"] for event in self.deliver()), [0, 1, 2])

    def test_a_producer_loads_neither_libcurl_nor_sqlite(self) -> None:
        output = self.run_python("""
            import sys, posthaste
            with posthaste.Producer(sys.argv[1]) as producer:
                producer.push("delivery", {"a": 1})
            with open("/proc/self/maps") as file:
                maps = file.read()
            print([name for name in ("curl", "sqlite") if name in maps])
        """, self.folder + "/spool")
        self.assertEqual(output, "[]\n")

    def test_the_main_library_serves_where_that_of_producers_is_not(self) -> None:
        output = self.run_python("""
            import sys, posthaste
            with posthaste.Producer(sys.argv[1]) as producer:
                producer.push("delivery", {"a": 1})
                print(producer.library.path == posthaste.library_path())
        """, self.folder + "/spool", environment={"POSTHASTE_PRODUCER_LIBRARY": "/none"})
        self.assertEqual(output, "True\n")

    def test_what_the_producer_library_lacks_raises_unsupported(self) -> None:
        output = self.run_python("""
            import os, posthaste
            try:
                posthaste.Engine({"role": "producer", "spool.dir": "/none"}).stats()
            except posthaste.Unsupported as error:
                print(error.name, error)
        """, environment={"POSTHASTE_LIBRARY": os.environ["POSTHASTE_PRODUCER_LIBRARY"]})
        self.assertRegex(output, "^POSTHASTE_E_UNSUPPORTED posthaste_stats_json is not in libposthaste_producer.so")

    def test_the_role_can_be_given_as_a_setting(self) -> None:
        with posthaste.Engine({"role": "producer", "spool.dir": self.folder + "/spool"}) as engine:
            for index in range(3):
                engine.push("delivery", {"index": index})
            self.raised(posthaste.State, engine.put, "a", {"name": "a", "target": "http://a.test/", "events": "*"})
        self.assertEqual(len(self.deliver()), 3)


if __name__ == "__main__":
    unittest.main()
