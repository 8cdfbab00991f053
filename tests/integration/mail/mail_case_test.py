"""The tools of the mail servers' tests find what they are there to find."""

import json
import pathlib
import tempfile
import unittest
import urllib.error
import urllib.request

import mail_case
from event_receiver import EventReceiver
from next_hop import NextHop

DELIVERY = {"type": "delivery", "event_id": "1", "timestamp": "1460989507", "rcpt_to": "a@example.test"}


def post(url, batch_id, events):
    body = json.dumps([{"msys": {"message_event": event}} for event in events]).encode()
    request = urllib.request.Request(url, body, {"X-MessageSystems-Batch-ID": batch_id})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status


class CatalogueTest(unittest.TestCase):
    def setUp(self):
        self.catalogue = mail_case.Catalogue()

    def test_a_documented_event_is_valid(self):
        self.assertEqual(self.catalogue.problems("message_event", DELIVERY), [])

    def test_wrong_class_type_and_field_are_named(self):
        self.assertIn("class track_event", self.catalogue.problems("track_event", DELIVERY)[0])
        self.assertIn("unknown type", self.catalogue.problems("message_event", {"type": "arrival"})[0])
        for change, complaint in (({"colour": "red"}, "undocumented field colour"), ({"msg_size": 5}, "msg_size is int"),
                                  ({"timestamp": "1.5"}, "whole seconds"), ({"event_id": ""}, "without event_id"),
                                  ({"subject": True}, "subject is bool")):
            self.assertIn(complaint, "\n".join(self.catalogue.problems("message_event", {**DELIVERY, **change})))


class FieldTableTest(unittest.TestCase):
    def table(self, *rows):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        readme = pathlib.Path(self.folder.name) / "README.md"
        readme.write_text("\n".join(("| event | field | source |", "|---|---|---|", *rows)))
        return mail_case.FieldTable(readme)

    def test_a_whole_and_true_table_has_no_problems(self):
        catalogue = mail_case.Catalogue()
        rest = ", ".join(name for name in catalogue.fields("delivery") if name not in DELIVERY)
        table = self.table("| `delivery` | type, event_id, timestamp, rcpt_to | log |", f"| `delivery` | {rest} | - none |")
        self.assertEqual(table.problems(catalogue, [DELIVERY]), [])

    def test_missing_undocumented_unsent_and_unexpected_fields_are_named(self):
        table = self.table("| `delivery` | type, event_id, timestamp, colour, subject | log |",
                           "| `delivery` | rcpt_to | - not known |", "| `delivery` | msg_from | - |")
        text = "\n".join(table.problems(mail_case.Catalogue(), [DELIVERY, {**DELIVERY, "type": "bounce"}]))
        for complaint in ("delivery: node_name has no row", "delivery: colour is not documented",
                          "delivery: subject was never sent", "delivery: rcpt_to was sent",
                          "delivery: msg_from has neither", "bounce: events came"):
            self.assertIn(complaint, text)


class EventReceiverTest(unittest.TestCase):
    def test_a_repeated_batch_counts_once(self):
        receiver = EventReceiver()
        self.addCleanup(receiver.close)
        for _ in range(2):
            self.assertEqual(post(receiver.url, "b1", [DELIVERY]), 200)
        self.assertEqual(receiver.wait_for(1), [DELIVERY])
        self.assertEqual(receiver.repeated_batches(), 1)

    def test_an_event_in_two_batches_is_found(self):
        receiver = EventReceiver()
        self.addCleanup(receiver.close)
        post(receiver.url, "b1", [DELIVERY])
        post(receiver.url, "b2", [DELIVERY])
        self.assertEqual(mail_case.twice(receiver.events()), {"1"})

    def test_it_goes_down_and_comes_back_on_its_port(self):
        receiver = EventReceiver()
        self.addCleanup(receiver.close)
        receiver.go_down()
        with self.assertRaises(urllib.error.URLError):
            post(receiver.url, "b1", [DELIVERY])
        receiver.come_back()
        self.assertEqual(post(receiver.url, "b1", [DELIVERY]), 200)

    def test_what_it_refused_is_not_recorded(self):
        receiver = EventReceiver()
        self.addCleanup(receiver.close)
        receiver.answer(503)
        with self.assertRaises(urllib.error.HTTPError):
            post(receiver.url, "b1", [DELIVERY])
        self.assertEqual(receiver.events(), [])


class NextHopTest(unittest.TestCase):
    def test_each_address_gets_its_verdict_and_the_taken_message_is_kept(self):
        hop = NextHop()
        self.addCleanup(hop.close)
        names = ("accept-1", "defer-1", "bounce-1", "busy-1")
        mails = [mail_case.Mail((f"{name}@example.test",), subject=b"s", body=b".dot\r\n") for name in (*names, "defer-1")]
        outcomes, lost = mail_case.send_all(hop.port, mails, connections=1)
        codes = [next(iter(outcome.recipients.values()))[0] for outcome in outcomes]
        self.assertEqual((codes, lost), ([250, 451, 550, 451, 250], []))
        self.assertEqual([recipient for recipient, _ in hop.taken()], ["accept-1@example.test", "defer-1@example.test"])
        self.assertTrue(hop.taken()[0][1].endswith(b"\r\n\r\n.dot\r\n"))

    def test_a_refusal_at_the_end_is_an_outcome(self):
        hop = NextHop()
        self.addCleanup(hop.close)
        (outcome,), _ = mail_case.send_all(hop.port, [mail_case.Mail(("late-1@example.test",))], connections=1)
        self.assertEqual((outcome.end[0], outcome.accepted()), (554, []))

    def test_hostile_subjects_go_over_smtp_as_they_are(self):
        hop = NextHop()
        self.addCleanup(hop.close)
        mails = [mail_case.Mail(("accept-1@example.test",), subject=raw) for raw, _ in mail_case.HOSTILE_SUBJECTS]
        outcomes, _ = mail_case.send_all(hop.port, mails, connections=1)
        self.assertTrue(all(outcome.accepted() for outcome in outcomes))
        for (raw, _), (_, message) in zip(mail_case.HOSTILE_SUBJECTS, hop.taken()):
            self.assertIn(b"\r\nSubject: " + raw + b"\r\n", message)


if __name__ == "__main__":
    unittest.main()
