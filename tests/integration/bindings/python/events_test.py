"""Events from Python: dicts and bytes, the short cut for what nobody wants, the builder, errors, batches over a socket."""

import threading
import unittest
from collections import OrderedDict
from typing import Any, Dict

import posthaste
from binding_case import MESSAGE, BindingCase, events_of


class Unserializable(Dict[str, Any]):
    """A dict whose serialization would be seen."""

    def items(self) -> Any:
        raise AssertionError("serialized")


class Events(BindingCase):
    def test_dicts_and_bytes_and_text_arrive_in_one_batch_in_their_order(self) -> None:
        receiver = self.receiver()
        engine = self.delivering(receiver)
        engine.push("injection", {**MESSAGE, "rcpt_meta": {"a": [1, 2.5, None, True]}, "subject": 'Grüße "x"\n\u2028😀'})
        engine.push("delivery", b'{"a": 1.50}')
        engine.push("bounce", '{"reason":"ä"}')
        engine.push("open", bytearray(b'{"b":2}'))
        engine.push("click", memoryview(b'{"c":3}'))
        engine.push(None, {"type": "delay"})
        engine.push(None, b'{"type":"inband"}')
        engine.push("delivery", OrderedDict(MESSAGE))
        engine.flush()
        self.assertEqual(len(receiver.requests()), 1)
        self.assertIn('"a": 1.50', receiver.requests()[0]["body"])
        events = events_of(receiver, 8)
        self.assertEqual([event["type"] for event in events],
                         ["injection", "delivery", "bounce", "open", "click", "delay", "bounce", "delivery"])
        self.assertEqual(events[0]["subject"], 'Grüße "x"\n\u2028😀')
        self.assertEqual(events[0]["rcpt_meta"], {"a": [1, 2.5, None, True]})
        self.assertEqual(events[2]["reason"], "ä")
        self.assertEqual(events[7], {"class": "message_event", "type": "delivery", **MESSAGE})

    def test_a_type_that_nobody_wants_is_not_serialized(self) -> None:
        engine = self.delivering(self.receiver(), events="delivery")
        self.assertTrue(engine.wants("delivery"))
        self.assertTrue(engine.wants())
        self.assertFalse(engine.wants("bounce"))
        engine.push("bounce", Unserializable(a=object()))
        engine.push(None, Unserializable(type="bounce", a=object()))
        with self.assertRaises((TypeError, AssertionError)):
            engine.push("delivery", Unserializable(a=object()))

    def test_a_type_that_nobody_wants_is_judged_all_the_same(self) -> None:
        engine = self.delivering(self.receiver(), events="delivery")
        self.raised(posthaste.UnknownType, engine.push, "no_such_type", MESSAGE)
        engine.close()
        self.raised(posthaste.State, engine.push, "bounce", MESSAGE)

    def test_what_json_cannot_say_is_refused_by_the_json_module_and_not_queued(self) -> None:
        engine = self.delivering(self.receiver())
        self.raised(TypeError, engine.push, "delivery", {"a": object()})
        self.raised(ValueError, engine.push, "delivery", {"a": float("nan")})
        circular: Dict[str, Any] = {}
        circular["me"] = circular
        with self.assertRaises((ValueError, RecursionError)):
            engine.push("delivery", circular)
        self.assertEqual(engine.stats()["events"]["accepted"], 0)

    def test_lone_surrogates_of_broken_mail_are_replaced(self) -> None:
        receiver = self.receiver()
        engine = self.delivering(receiver)
        engine.push("delivery", {"subject": b"caf\xe9 \xff".decode("ascii", "surrogateescape")})
        engine.flush()
        self.assertEqual(events_of(receiver, 1)[0]["subject"], "caf\ufffd \ufffd")

    def test_each_wrong_event_raises_its_class_with_the_reason(self) -> None:
        engine = self.delivering(self.receiver())
        cases = [(posthaste.BadJson, "delivery", b"[]"), (posthaste.BadJson, "delivery", b""),
                 (posthaste.BadUtf8, "delivery", b'{"a":"\xff"}'), (posthaste.UnknownType, "nonsense", b"{}"),
                 (posthaste.UnknownType, None, b"{}"), (posthaste.TypeMismatch, "delivery", b'{"type":"bounce"}'),
                 (posthaste.TypeMismatch, "delivery", {"type": "bounce"}),
                 (posthaste.TooLarge, "delivery", {"a": "x" * 2_000_000}),
                 (posthaste.TooDeep, "delivery", b'{"a":' * 70 + b"1" + b"}" * 70),
                 (posthaste.DuplicateKey, "delivery", b'{"event_id":"1","event_id":"2"}')]
        for kind, event_type, payload in cases:
            with self.subTest(kind.__name__):
                error = self.raised(kind, engine.push, event_type, payload)
                self.assertIsInstance(error, posthaste.EventError)
                self.assertNotEqual(str(error), "")
                self.assertNotIn("\n", str(error))
                self.raised(kind, engine.check, event_type, payload)
        engine.check("delivery", MESSAGE)
        self.assertEqual(engine.stats()["events"]["accepted"], 0)

    def test_a_full_queue_raises_queue_full_at_once(self) -> None:
        receiver = self.receiver("--rule", "stop-at=before-head")
        engine = self.delivering(receiver, {"intake.max_bytes": "4MiB", "waiting.max_bytes": "1MiB",
                                            "webhook.max_waiting_bytes": "1MiB", "batch.max_bytes": "64KiB", "event.max_bytes": "16KiB"})
        with self.assertRaises(posthaste.QueueFull):
            for _ in range(200_000):
                engine.push("delivery", b'{"a":"' + b"x" * 4000 + b'"}')

    def test_push_many_judges_each_line_alone(self) -> None:
        receiver = self.receiver()
        engine = self.delivering(receiver)
        lines = b'{"a":1}\n\nnonsense\n{"a":2}\n'
        self.assertEqual(engine.push_many("delivery", lines), (len(lines), [0, 300, 0]))
        self.assertEqual(engine.push_many("bounce", [MESSAGE, b'{\n"a":3}', '{"a":4}']).codes, [0, 0, 0])
        engine.flush()
        self.assertEqual([event.get("a") for event in events_of(receiver, 5)], [1, 2, None, 3, 4])
        engine.close()
        self.raised(posthaste.State, engine.push_many, "delivery", lines)

    def test_trusted_and_enveloped_events_go_as_they_are(self) -> None:
        receiver = self.receiver()
        engine = self.delivering(receiver)
        whole = {"type": "delivery", "timestamp": "1", "event_id": "2"}
        engine.push_trusted("delivery", whole)
        engine.push_enveloped({"msys": {"message_event": {"type": "bounce", "timestamp": "1", "event_id": "3"}}})
        self.raised(posthaste.UnknownType, engine.push_trusted, "nonsense", b"{}")
        self.raised(posthaste.BadJson, engine.push_enveloped, b"x")
        engine.flush()
        self.assertEqual([event["event_id"] for event in receiver.events()], ["2", "3"])

    def test_the_builder_says_one_message_for_many_recipients(self) -> None:
        receiver = self.receiver()
        engine = self.delivering(receiver)
        event = engine.new_event("delivery")
        event["message_id"] = "m1"
        event["msg_size"] = 1337
        event["subject"] = b"caf\xe9"
        event["rcpt_meta"] = {"a": [1]}
        event.begin_array("rcpt_tags")
        for tag in ("x", "y"):
            event.set(None, tag)
        event.end()
        event.mark()
        for recipient in ("a@b.test", "c@d.test"):
            event.rewind()
            event["rcpt_to"] = recipient
            engine.push_event(event)
        engine.flush()
        events = events_of(receiver, 2)
        self.assertEqual([found.pop("rcpt_to") for found in events], ["a@b.test", "c@d.test"])
        self.assertEqual(events[0], events[1])
        self.assertEqual(events[0], {"class": "message_event", "type": "delivery", "message_id": "m1", "msg_size": "1337",
                                     "subject": "caf\ufffd", "rcpt_meta": {"a": [1]}, "rcpt_tags": ["x", "y"]})

    def test_the_builders_first_error_sticks_and_names_itself(self) -> None:
        engine = self.delivering(self.receiver())
        event = engine.new_event("delivery")
        self.raised(posthaste.BadField, event.set, "a", float("inf"))
        self.raised(OverflowError, event.set, "b", 2**63)
        self.raised(posthaste.BadField, engine.push_event, event)
        event.reset()
        event["a"] = "b"
        self.raised(posthaste.DuplicateKey, event.set, "a", "c")
        event.reset("bounce")
        event["c"] = False
        event["d"] = 0.5
        event.check()
        engine.push_event(event)
        engine.flush()
        self.assertEqual(engine.stats()["events"]["accepted"], 1)

    def test_the_order_of_one_thread_is_kept_beside_others(self) -> None:
        receiver = self.receiver()
        engine = self.delivering(receiver)

        def push(name: str) -> None:
            for index in range(500):
                engine.push("delivery", {"thread": name, "index": index} if index % 2 else
                            b'{"thread":"%s","index":%d}' % (name.encode(), index))

        threads = [threading.Thread(target=push, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        engine.flush()
        events = events_of(receiver, 1500)
        for name in "abc":
            self.assertEqual([event["index"] for event in events if event["thread"] == name], list(range(500)))


if __name__ == "__main__":
    unittest.main()
