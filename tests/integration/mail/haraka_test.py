"""Haraka with its Posthaste plugin, the real server with real mail: what its log says and what came over HTTP are the
same, also with the receiver away for a while, and behind SIGKILL nothing is missing that Haraka acknowledged.

Usage: haraka_test.py [--messages N]
"""

import argparse
import collections
import dataclasses
import re
import sys
import tempfile
import threading
import unittest

import mail_case
from event_receiver import EventReceiver
from haraka_server import EXAMPLE, Haraka
from mail_case import HOSTILE_SUBJECTS, Mail
from next_hop import NextHop
from waiting import wait_until

MESSAGES = 200
API_HEADER = (b'X-MSYS-API: {"campaign_id": "summer \\"deals\\"", "metadata": {"key": [1, "\xc3\xa9"]}, "tags": ["a", "b"],\r\n'
              b' "options": {"transactional": true}}')
OWN_MESSAGE = r"Created transaction: ([0-9A-F-]+)"
QUEUED = r"\[([0-9A-F.-]+)\] \[core\] queue code=OK"
DELIVERED = r"delivered file=(\S+) .* rcpts=(\d+)/"
DEFERRED = r"Temp failing (\S+) for"
BOUNCED = r"\[([0-9A-F.-]+)\] \[outbound\] bouncing mail"
REJECTED = r"\[core\] recipient <(\S+)> code=DENY"


@dataclasses.dataclass(frozen=True)
class Copies(Mail):
    """To one recipient, with copies to two others, one of them in secret."""

    def data(self):
        to, cc, _ = self.recipients
        lines = [b"From: Sender <sender@shop.test>", b"To: <%s>" % to.encode(), b"Cc: Other <%s>" % cc.encode(),
                 *self.headers]
        return b"\r\n".join(lines) + b"\r\n\r\ntext\r\n"


def mixed_mails(count):
    """A mix of what is taken, refused, put off and bounced; the first ones are peculiar."""
    mails = [Mail((f"accept-h{index}@Hostile.test",), subject=subject)
             for index, (subject, _) in enumerate(HOSTILE_SUBJECTS)]
    mails += [Copies(("accept-to@copies.test", "accept-cc@copies.test", "accept-bcc@copies.test")),
              Copies(("accept-to@failed.test", "defer-cc@failed.test", "bounce-bcc@failed.test")),
              Copies(("accept-to@refused.test", "accept-cc@refused.test", "accept-bcc@refused.test"),
                     headers=(b"X-Refuse: yes",)),
              Mail(("accept-r1@refused.test", "accept-r2@refused.test"), headers=(b"X-Refuse: yes", API_HEADER)),
              Mail(("accept-a@two.test", "bounce-b@two.test", "defer-c@two.test", "reject-d@two.test"),
                   headers=(API_HEADER,)),
              Mail(("defer-a@both.test", "defer-b@both.test"), headers=(API_HEADER,)),
              Mail(("bounce-a@both.test", "bounce-b@both.test"), headers=(API_HEADER,)),
              Mail(("late-a@late.test",), sender="")]
    kinds = ("accept", "accept", "defer", "bounce", "accept", "reject", "accept", "late")
    mails += [Mail((f"{kinds[index % len(kinds)]}-{index}@example.test",), subject=b"message %d" % index)
              for index in range(count - len(mails))]
    return mails


def message_id(outcome):
    return re.search(rb"\(([0-9A-F.-]+)\)", outcome.end[1])[1].decode()


def injected(outcomes):
    """What the client was told was taken: message id and recipient."""
    return collections.Counter((message_id(outcome), recipient.lower())
                               for outcome in outcomes for recipient in outcome.accepted())


def by(events, *names):
    return collections.Counter(tuple(event.get(name) for name in names) if len(names) > 1 else event.get(names[0])
                               for event in events)


class HarakaTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="posthaste-haraka-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.receiver = EventReceiver()
        self.addCleanup(self.receiver.close)

    def begin(self, *, deferrals=1, **more):
        self.hop = NextHop(deferrals)
        self.addCleanup(self.hop.close)
        settings = {"batch.max_age": "1s", "retry.base": "200ms", "retry.max": "1s"}
        self.haraka = Haraka(self.folder, self.hop.port, target=self.receiver.url, settings=settings, **more)
        self.addCleanup(self.haraka.end)
        return self.haraka.start()

    def wait_for_quiet(self):
        """Until Haraka has nothing left to do."""
        wait_until(lambda: self.haraka.queued() == 0, "Haraka's empty queue", 120)

    def assert_valid(self):
        catalogue = mail_case.Catalogue()
        problems = [line for name, event in self.receiver.records() for line in catalogue.problems(name, event)]
        self.assertEqual(problems, [])
        self.assertEqual(mail_case.twice(self.receiver.events()), set())

    def check_injections(self, outcomes):
        expected = injected(outcomes)
        self.assertEqual(set(self.haraka.logged(QUEUED)), {name for name, _ in expected})
        own = self.haraka.logged(OWN_MESSAGE)
        wait_until(lambda: len(self.receiver.events("injection")) >= expected.total() + len(own), "the injections")
        found = by(self.receiver.events("injection"), "message_id", "rcpt_to")
        self.assertEqual({key: count for key, count in found.items() if key[0] not in own}, dict(expected))
        self.assertEqual(sorted(name for name, _ in found if name in own), sorted(own))

    def check_deliveries(self):
        logged = collections.Counter()
        for file, count in self.haraka.logged(DELIVERED):
            logged[file] += int(count)
        wait_until(lambda: len(self.receiver.events("delivery")) >= logged.total(), "the deliveries")
        events = self.receiver.events("delivery")
        self.assertEqual(by(events, "msg_spoolname"), logged)
        self.assertEqual(by(events, "rcpt_to"), collections.Counter(name.lower() for name, _ in self.hop.taken()))

    def check_failures(self, outcomes):
        accepted = [name.lower() for outcome in outcomes for name in outcome.accepted()]
        delayed = collections.Counter(name for name in accepted if name.startswith("defer-"))
        bounced = collections.Counter(name for name in accepted if name.startswith(("bounce-", "late-")))
        wait_until(lambda: len(self.receiver.events("delay")) >= delayed.total(), "the delays")
        wait_until(lambda: len(self.receiver.events("bounce")) >= bounced.total(), "the bounces")
        delays, bounces = self.receiver.events("delay"), self.receiver.events("bounce")
        self.assertEqual(by(delays, "rcpt_to"), delayed)
        self.assertEqual(set(by(delays, "msg_spoolname")), set(self.haraka.logged(DEFERRED)))
        self.assertEqual(by(bounces, "rcpt_to"), bounced)
        self.assertEqual(len(by(bounces, "msg_spoolname")), len(self.haraka.logged(BOUNCED)))
        for event in delays:
            self.assertEqual((event["error_code"], event["num_retries"], event["bounce_class"]), ("451", "0", "70"))
            self.assertEqual(event["reason"], "451 4.2.1 <user@domain> mailbox is busy")
        for event in bounces:
            late = event["rcpt_to"].startswith("late-")
            self.assertEqual((event["error_code"], event["bounce_class"]), ("554", "50") if late else ("550", "10"))

    def check_rejections(self, outcomes):
        refused = [recipient for outcome in outcomes
                   for recipient, (code, _) in outcome.recipients.items() if code == 550]
        self.assertEqual(sorted(refused), sorted(self.haraka.logged(REJECTED)))
        whole = [recipient for outcome in outcomes if outcome.end and outcome.end[0] == 550
                 for recipient in outcome.recipients]
        expected = collections.Counter(name.lower() for name in refused + whole)
        wait_until(lambda: len(self.receiver.events("policy_rejection")) >= expected.total(), "the rejections")
        self.assertEqual(by(self.receiver.events("policy_rejection"), "rcpt_to"), expected)

    def test_log_and_events_are_the_same_with_the_receiver_away_for_a_while(self):
        haraka = self.begin()
        mails = mixed_mails(MESSAGES)
        outcomes, lost = mail_case.send_all(haraka.port, mails[: len(mails) // 3])
        self.receiver.go_down()
        more, lost_then = mail_case.send_all(haraka.port, mails[len(mails) // 3:])
        self.receiver.come_back()
        outcomes += more
        self.assertEqual(lost + lost_then, [])
        self.wait_for_quiet()
        self.check_injections(outcomes)
        self.check_deliveries()
        self.check_failures(outcomes)
        self.check_rejections(outcomes)
        self.assert_valid()
        events = self.receiver.events()
        self.assertEqual(mail_case.FieldTable(EXAMPLE / "README.md").problems(mail_case.Catalogue(), events), [])
        subjects = {event["rcpt_to"]: event.get("subject") for event in self.receiver.events("injection")}
        for index, (_, text) in enumerate(HOSTILE_SUBJECTS):
            self.assertEqual(subjects[f"accept-h{index}@hostile.test"], text)
        types = {event["rcpt_to"]: event.get("rcpt_type") for event in self.receiver.events("delivery")}
        self.assertEqual([types[f"accept-{name}@copies.test"] for name in ("to", "cc", "bcc")], [None, "cc", "bcc"])

    def kill_in_mid_load(self, outcomes, lost, mails):
        """Kills Haraka when half of the mails were acknowledged, and starts it again."""
        before = len(self.haraka.logged(QUEUED))
        sender = threading.Thread(target=lambda: [list.extend(into, part) for into, part in zip(
            (outcomes, lost), mail_case.send_all(self.haraka.port, mails))])
        sender.start()
        wait_until(lambda: len(self.haraka.logged(QUEUED)) >= before + len(mails) // 2, "half of the mails")
        self.haraka.kill()
        sender.join()
        self.haraka.start()

    def check_kill(self, **more):
        self.begin(deferrals=0, **more)
        outcomes, lost = [], []
        for turn in range(max(1, MESSAGES // 300)):
            mails = [Mail((f"accept-{turn}-{index}@example.test",)) for index in range(MESSAGES)]
            self.kill_in_mid_load(outcomes, lost, mails)
        self.assertGreater(len(lost), 0, "the kill came too late")
        self.wait_for_quiet()
        acknowledged = injected(outcomes)
        wait_until(lambda: not acknowledged - by(self.receiver.events("injection"), "message_id", "rcpt_to"),
                   "the injections", 60)
        self.assertEqual(by(self.receiver.events("injection"), "message_id", "rcpt_to") & acknowledged, acknowledged)
        wait_until(lambda: not acknowledged - by(self.receiver.events("delivery"), "message_id", "rcpt_to"),
                   "the deliveries", 60)
        self.assert_valid()

    def test_behind_a_kill_in_mid_load_nothing_acknowledged_is_missing(self):
        self.check_kill()

    def test_behind_a_kill_of_several_processes_nothing_acknowledged_is_missing(self):
        self.check_kill(nodes=2)

    def test_several_processes_push_as_producers_and_the_first_delivers(self):
        haraka = self.begin(nodes=2)
        mails = mixed_mails(MESSAGES // 3)
        outcomes, lost = mail_case.send_all(haraka.port, mails, connections=6)
        self.assertEqual(lost, [])
        self.wait_for_quiet()
        self.check_injections(outcomes)
        self.check_deliveries()
        self.check_failures(outcomes)
        self.check_rejections(outcomes)
        self.assert_valid()

    def test_a_recipient_for_whom_no_plugin_speaks_is_a_rejection(self):
        haraka = Haraka(self.folder, 1, target=self.receiver.url, settings={"batch.max_age": "1s"})
        haraka.write("plugins", "posthaste\n")
        self.addCleanup(haraka.end)
        haraka.start()
        (outcome,), _ = mail_case.send_all(haraka.port, [Mail(("Someone@elsewhere.test",))], connections=1)
        self.assertEqual(outcome.recipients["Someone@elsewhere.test"][0], 550)
        (event,) = self.receiver.wait_for(1)
        self.assertEqual((event["type"], event["rcpt_to"], event["raw_rcpt_to"], event["raw_reason"]), (
            "policy_rejection", "someone@elsewhere.test", "Someone@elsewhere.test",
            "I cannot deliver mail for <Someone@elsewhere.test>"))
        self.assert_valid()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=MESSAGES)
    chosen, rest = parser.parse_known_args()
    MESSAGES = chosen.messages
    unittest.main(argv=[sys.argv[0], *rest])
