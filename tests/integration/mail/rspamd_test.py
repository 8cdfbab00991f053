"""The plugin of examples/rspamd in the real rspamd: its events are what rspamd answered, whatever dies meanwhile.

Usage: rspamd_test.py [--long] [unittest arguments]
"""

import collections
import concurrent.futures
import os
import pathlib
import re
import sys
import tempfile
import threading
import time
import unittest

import mail_case
from event_receiver import EventReceiver
from mail_case import HOSTILE_SUBJECTS, Mail
from rspamd_server import EXAMPLE, Rspamd, postfix_before, serve_on
from waiting import wait_until

COMMAND = os.environ["POSTHASTE_COMMAND"]
LIBRARY = os.environ["POSTHASTE_PRODUCER_LIBRARY"]
CACHE = pathlib.Path(os.environ["POSTHASTE_BUILD"]) / "rspamd"
RULES = pathlib.Path(__file__).resolve().with_name("rspamd_rules.lua")
IS_LONG = False
SETTINGS = {"batch.max_age": "200ms", "retry.base": "200ms", "retry.max": "500ms"}
REFUSED = ("reject", "soft reject", "discard")
CODES = {"reject": "554", "soft reject": "451", "discard": "250"}
SUBJECTS = (b"hello", b"please refuse", b"please defer", b"please drop", b"please mark", b"spam", b"hello again", b"to two")


class WireMail(Mail):
    """A Mail whose To names its first recipient alone."""

    def data(self):
        text = super().data()
        everyone = ", ".join(self.recipients).encode()
        return text.replace(b"To: " + everyone, b"To: " + self.recipients[0].encode(), 1)


def mixed_mail(count):
    """Let through, marked, refused by score and by rule, deferred, dropped; one and several recipients."""
    mails = []
    for number in range(count):
        subject = SUBJECTS[number % len(SUBJECTS)]
        recipients = (f"Reader-{number}@far.test",)
        headers = ()
        if subject in (b"to two", b"spam"):
            recipients += (f"second-{number}@other.test", f"hidden-{number}@other.test")
            headers = (b"Cc: Second <SECOND-%d@other.test>" % number,)
        mails.append(WireMail(recipients, subject, headers=headers))
    return mails


def queue_id_of(outcome):
    """What Postfix called a message that it took."""
    match = re.search(rb"queued as (\w+)", outcome.end[1])
    return match.group(1).decode()


def counted(events):
    """How many events there are of each message, type and recipient."""
    return collections.Counter((event["message_id"], event["type"], event.get("raw_rcpt_to")) for event in events)


class RspamdTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir="/var/tmp", prefix="posthaste-rspamd-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        os.chmod(self.folder, 0o755)
        self.catalogue = mail_case.Catalogue()
        self.receiver = EventReceiver()
        self.addCleanup(self.receiver.close)
        spool = self.folder / "posthaste" / "spool"
        spool.parent.mkdir()
        self.serve = serve_on(COMMAND, spool, [self.receiver.url], SETTINGS)
        self.serve.start()
        self.addCleanup(lambda: self.serve.stop())
        self.rspamd = Rspamd(self.folder / "rspamd", CACHE, spool, LIBRARY, rules=RULES)
        self.addCleanup(self.rspamd.stop)
        self.rspamd.start()
        self.postfix = postfix_before(self.rspamd, self.folder / "postfix")
        self.addCleanup(self.postfix.stop)
        self.postfix.start()

    def scan(self, number, mail, tries=1):
        """Returns `(queue id, action, mail)`, action None without an answer."""
        queue_id = f"HTTP{number}"
        for _ in range(tries):
            try:
                return queue_id, self.rspamd.scan(mail.data(), mail.sender, mail.recipients, queue_id)["action"], mail
            except OSError:
                time.sleep(0.2)
        return queue_id, None, mail

    def scan_all(self, mails, first=0, tries=1):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda item: self.scan(first + item[0], item[1], tries), enumerate(mails)))

    def wait_for_log(self):
        """Waits until as many events came as rspamd's log says; returns them."""
        wanted = sum(len(recipients) for _, _, recipients in self.rspamd.verdicts())
        return self.receiver.wait_for(wanted)

    def assert_valid(self, records):
        problems = [problem for name, event in records for problem in self.catalogue.problems(name, event)]
        self.assertEqual(problems, [])

    def test_events_are_what_rspamd_says_it_answered(self):
        count = 1000 if IS_LONG else 120
        mails = mixed_mail(count)
        outcomes, lost = mail_case.send_all(self.postfix.port, mails)
        answers = self.scan_all(mails)
        self.assertEqual((len(outcomes), lost), (count, []))
        self.assertNotIn(None, [action for _, action, _ in answers])
        verdicts = self.rspamd.verdicts()
        self.assertEqual(len(verdicts), 2 * count)
        events = self.wait_for_log()
        # Against rspamd's own log: none missing, none twice.
        expected = collections.Counter(
            (queue_id, "policy_rejection" if action in REFUSED else "injection", recipient)
            for queue_id, action, recipients in verdicts for recipient in recipients)
        self.assertEqual(counted(events), expected)
        self.assertEqual(mail_case.twice(events), set())
        # Against what the clients were told.
        injected = {event["message_id"] for event in events if event["type"] == "injection"}
        for outcome in outcomes:
            if outcome.end[0] == 250 and outcome.mail.subject != b"please drop":
                self.assertIn(queue_id_of(outcome), injected)
        codes = collections.Counter(str(outcome.end[0]) for outcome in outcomes)
        rejections = self.receiver.events("policy_rejection")
        messages = {event["message_id"]: event["error_code"] for event in rejections if not event["message_id"].startswith("HTTP")}
        told = collections.Counter(messages.values())
        self.assertEqual((told["554"], told["451"]), (codes["554"], codes["451"]))
        self.assertEqual(told["250"], count // len(SUBJECTS))
        self.assert_valid(self.receiver.records())
        table = mail_case.FieldTable(EXAMPLE / "README.md")
        self.assertEqual(table.event_types(), {"injection", "policy_rejection"})
        self.assertEqual(table.problems(self.catalogue, events), [])
        self.check_contents(events)

    def check_contents(self, events):
        by_subject = {event["subject"]: event for event in events if event["type"] == "injection"}
        marked = by_subject["please mark"]["rcpt_meta"]
        self.assertEqual((marked["action"], marked["score"], marked["required_score"]), ("add header", 7.75, 15))
        self.assertEqual(marked["symbols"], [{"name": "HEAVY", "score": 7.5, "options": ['an "option"', "two"]},
                                             {"name": "ALWAYS", "score": 0.25}])
        types = collections.Counter(event.get("rcpt_type") for event in events if event.get("subject") == "to two")
        self.assertEqual(len(set(types.values())), 1)
        self.assertEqual(set(types), {None, "cc", "bcc"})
        rejections = {event["error_code"]: event for event in events if event["type"] == "policy_rejection"
                      and event["raw_reason"] != "Spam message rejected"}
        self.assertEqual(rejections["554"]["raw_reason"], "IP 192.0.2.7 of <bad@guest.test> is in our list")
        self.assertEqual(rejections["554"]["reason"], "IP a.b.c.d of <user@domain> is in our list")
        self.assertEqual(rejections["451"]["raw_reason"], "come back in 5 minutes")
        by_score = next(event for event in events if event.get("raw_reason") == "Spam message rejected")
        self.assertEqual(by_score["rcpt_meta"]["symbols"][0], {"name": "SPAM", "score": 20})
        self.assertTrue(all(event["rcpt_to"] == event["raw_rcpt_to"].lower() for event in events))

    def test_hostile_mail_arrives_as_the_right_text(self):
        hostile = [Mail((f"hostile-{number}@far.test",), raw) for number, (raw, _) in enumerate(HOSTILE_SUBJECTS)]
        outcomes, lost = mail_case.send_all(self.postfix.port, hostile)
        self.assertEqual(lost, [])
        self.assertTrue(all(outcome.end[0] == 250 for outcome in outcomes), outcomes)
        self.scan_all([Mail((f"http-{mail.recipients[0]}",), mail.subject) for mail in hostile], first=100)
        odd = [Mail((), b"no recipients"), Mail(('"odd \\"x"@far.test',), b"odd"), Mail(("no-domain",), b"no domain")]
        answers = self.scan_all(odd + [Mail(("a@far.test",), b"x", sender="")])
        self.assertEqual([action for _, action, _ in answers], ["no action"] * 4)
        self.rspamd.scan(b"no header at all", "a@b.test", ["plain@far.test"], "HTTP-plain")
        self.rspamd.scan(b"\0\xff\r\n\r\n", "a@b.test", ["bytes@far.test"])
        events = self.receiver.wait_for(2 * len(hostile) + 6)
        by_recipient = {event.get("rcpt_to"): event for event in events}
        for number, (raw, wanted) in enumerate(HOSTILE_SUBJECTS):
            # What rspamd decodes a word of an unknown character set to.
            wanted = "kept" if raw == b"=?no-such-charset?Q?kept?=" else wanted
            self.assertTrue(by_recipient[f"http-hostile-{number}@far.test"]["subject"] == wanted, raw[:60])
            # Postfix tells a milter 60,000 bytes of a header.
            told = by_recipient[f"hostile-{number}@far.test"]["subject"]
            self.assertTrue(told == wanted[:len(told)] and len(told) >= min(len(wanted), 58000), (raw[:60], told[:60]))
        self.assertIn("plain@far.test", by_recipient)
        self.assertIn("bytes@far.test", by_recipient)
        self.assertIn(None, by_recipient)
        self.assert_valid(self.receiver.records())

    def test_nothing_that_was_answered_is_missing_whatever_dies(self):
        count = 600 if IS_LONG else 160
        sent, scanned = [], []
        mails = mixed_mail(count)

        def by_smtp():
            for begin in range(0, count, 20):
                outcomes, _ = mail_case.send_all(self.postfix.port, mails[begin:begin + 20], connections=2)
                sent.extend(outcomes)
                time.sleep(0.05)

        def by_http():
            for begin in range(0, count, 20):
                scanned.extend(self.scan_all(mails[begin:begin + 20], begin, tries=100))
                time.sleep(0.05)

        def share(done):
            wait_until(lambda: min(len(sent), len(scanned)) >= count * done, f"{done} of the load", 120)

        threads = [threading.Thread(target=by_smtp), threading.Thread(target=by_http)]
        for thread in threads:
            thread.start()
        share(0.1)
        self.receiver.go_down()
        share(0.25)
        self.assertEqual(len(self.rspamd.kill_workers("normal")), 2)
        share(0.4)
        self.serve.kill()
        share(0.5)
        self.serve.start()
        self.receiver.come_back()
        share(0.6)
        self.assertEqual(len(self.rspamd.kill_workers("rspamd_proxy")), 1)
        share(0.75)
        self.serve.kill()
        self.serve.start()
        for thread in threads:
            thread.join()
        self.assertNotIn(None, [action for _, action, _ in scanned])
        expected = self.answered(sent, scanned)
        self.assertGreater(len(expected), count)
        wait_until(lambda: not self.missing(expected), "all that was answered", 90)
        events = self.receiver.events()
        # A scan that was begun again after its worker died may be told twice, by the same event id.
        unique = {event["event_id"]: event for event in events}
        self.assertEqual([key for key, times in counted(unique.values()).items() if times > 1], [])
        self.assert_valid(self.receiver.records())

    def answered(self, sent, scanned):
        """The events that must be there, as counted() has them."""
        expected = set()
        for outcome in sent:
            if outcome.end and outcome.end[0] == 250 and outcome.mail.subject != b"please drop":
                expected.update((queue_id_of(outcome), "injection", recipient) for recipient in outcome.accepted())
        for queue_id, action, mail in scanned:
            kind = "policy_rejection" if action in REFUSED else "injection"
            expected.update((queue_id, kind, recipient) for recipient in mail.recipients)
        return expected

    def missing(self, expected):
        return expected - set(counted(self.receiver.events()))


if __name__ == "__main__":
    if "--long" in sys.argv:
        sys.argv.remove("--long")
        IS_LONG = True
    if os.geteuid() != 0:
        print("skipped: rspamd and Postfix want root")
        sys.exit(0)
    unittest.main()
