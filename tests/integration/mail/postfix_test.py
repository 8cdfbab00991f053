"""posthaste-postfix beside the real Postfix with real mail: events against Postfix's own log.

Usage: postfix_test.py [--long]; POSTHASTE_POSTFIX names the daemon. Wants root.
"""

import collections
import contextlib
import os
import pathlib
import re
import shutil
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import mail_case
from event_receiver import EventReceiver
from next_hop import NextHop
from postfix_daemon import Daemon, is_possible
from postfix_server import EXAMPLE, PostfixServer
from waiting import wait_until

IS_LONG = "--long" in sys.argv
MESSAGES = 1000 if IS_LONG else 210
TYPE_OF = {"sent": "delivery", "deferred": "delay", "bounced": "bounce"}
# What becomes of mail is decided by the first word of its recipient, here or at the next hop.
REJECTIONS = """
smtpd_recipient_restrictions = check_recipient_access regexp:{folder}/recipients, permit_mynetworks, reject
header_checks = regexp:{folder}/headers
maximal_queue_lifetime = 8s
"""
EXAMPLE_HEADERS = (b"X-Campaign-ID: spring", b"X-Template-ID: t-1", b"X-Template-Version: 2",
                   b"X-Transmission-ID: 65832150921904138", b"X-Transactional: 1", b"X-Subaccount-ID: 101")


def mixed(count, start=0):
    """Mail of every fate; each with recipients that no other mail has."""
    mails = []
    for number in range(start, start + count):
        kind = ("accept", "defer", "bounce", "late", "reject", "accept", "two", "header", "accept", "busy")[number % 10]
        hop = [f"{kind}-{number}@hop.test"]
        headers = EXAMPLE_HEADERS
        if kind == "two":
            hop = [f"accept-{number}a@hop.test", f"bounce-{number}b@hop.test", f"reject-{number}c@hop.test"]
        if kind == "header":
            hop, headers = [f"accept-{number}@hop.test"], (b"X-Refuse: me",)
        if kind == "busy" and number % 50 != 49:
            hop = [f"Accept.Mixed.Case-{number}@Hop.Test"]
        mails.append(mail_case.Mail(tuple(hop), subject=b"mail %d" % number, headers=headers))
    return mails


@unittest.skipUnless(is_possible(), "Postfix needs root and its Debian package")
class PostfixTest(unittest.TestCase):
    settings = ("batch.max_age 200ms", "retry.base 100ms", "retry.max 500ms")

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp", prefix="posthaste-postfix-"))
        self.folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "recipients").write_text("/^reject-/ REJECT no such thing here\n")
        (self.folder / "headers").write_text("/^X-Refuse:/ REJECT such headers are not wanted\n")
        self.receiver = EventReceiver()
        self.addCleanup(self.receiver.close)
        self.next_hop = NextHop()
        self.addCleanup(self.next_hop.close)
        log = self.folder / "postfix" / "log" / "mail.log"
        self.daemon = Daemon(os.environ["POSTHASTE_POSTFIX"], self.folder / "daemon", log, [self.receiver.url],
                             self.settings)
        self.postfix = PostfixServer(self.folder / "postfix", self.next_hop.port, self.daemon.port,
                                     REJECTIONS.format(folder=self.folder))
        self.addCleanup(self.daemon.stop)
        self.daemon.start()
        self.addCleanup(self.postfix.stop)
        self.postfix.start()

    # What Postfix says.

    def attempts_of_log(self):
        """How often each `(queue id, recipient, event type)` must have come; expiry gives up who is deferred."""
        wanted = collections.Counter()
        deferred = collections.defaultdict(set)
        for line in self.postfix.logs():
            queue_id = line.partition("]: ")[2].partition(":")[0]
            if " status=expired" in line or " status=force-expired" in line:
                wanted.update((queue_id, recipient, "bounce") for recipient in deferred.pop(queue_id, ()))
            elif ": to=<" in line and " status=" in line:
                recipient = line.partition(": to=<")[2].partition(">")[0].lower()
                status = line.partition(" status=")[2].split()[0]
                wanted[queue_id, recipient, TYPE_OF[status]] += 1
                (deferred[queue_id].add if status == "deferred" else deferred[queue_id].discard)(recipient)
        return wanted

    def rejections_of_log(self):
        return sum(": reject: " in line or ": milter-reject: " in line for line in self.postfix.logs())

    # What came.

    def distinct_events(self):
        """Events once each: after a crash the same event may come again, under the same id and with the same content."""
        by_id = {}
        for event in self.receiver.events():
            self.assertEqual(by_id.setdefault(event["event_id"], event), event)
        return list(by_id.values())

    def attempts_of_events(self):
        return collections.Counter((event["msg_spoolname"], event["rcpt_to"], event["type"])
                                   for event in self.distinct_events() if event["type"] in TYPE_OF.values())

    def expect_the_log(self, outcomes):
        """Waits until the queue is empty, then compares events, log and what the clients were told."""
        try:
            wait_until(lambda: not self.postfix.queue() or time.sleep(0.3), "an empty queue", 60)
        except AssertionError:
            self.fail("\n".join(["left in the queue:", *self.postfix.queue(), *self.postfix.logs()[-40:]]))

        def is_complete():
            time.sleep(0.2)
            return (self.attempts_of_events() == self.attempts_of_log() and self.rejections_of_log() ==
                    sum(event["type"] == "policy_rejection" for event in self.distinct_events()))

        try:
            wait_until(is_complete, "the events of the log", 30)
        except AssertionError:
            wanted, came = self.attempts_of_log(), self.attempts_of_events()
            self.fail(f"missing {wanted - came}, too many {came - wanted}; {self.rejections_of_log()} rejections\n"
                      f"{self.daemon.output()}")
        accepted = [recipient.lower() for outcome in outcomes for recipient in outcome.accepted()]
        injected = collections.Counter(event["rcpt_to"] for event in self.distinct_events() if event["type"] == "injection")
        self.assertEqual([recipient for recipient in accepted if not injected[recipient]], [])
        catalogue = mail_case.Catalogue()
        problems = {problem for name, event in self.receiver.records() for problem in catalogue.problems(name, event)}
        self.assertEqual(problems, set())
        return accepted, injected

    def send(self, mails):
        outcomes, lost = mail_case.send_all(self.postfix.port, mails)
        self.assertEqual(lost, [])
        return outcomes

    # The tests.

    def test_each_line_of_the_log_is_one_event_and_each_field_comes_as_the_table_says(self):
        mails = mixed(MESSAGES)
        outcomes = self.send(mails[:70])
        self.receiver.go_down()
        outcomes += self.send(mails[70:140])
        self.postfix.run("postfix", "logrotate")
        self.receiver.come_back()
        outcomes += self.send(mails[140:])
        self.send_reports()
        # With parameters of MAIL, which mail_case has none of.
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=60) as client:
            client.sendmail("esmtp@example.test", [f"{kind}-esmtp@hop.test" for kind in ("accept", "defer", "bounce")],
                            b"From: esmtp@example.test\r\n\r\ntext\r\n")
        accepted, injected = self.expect_the_log(outcomes)
        self.assertEqual(mail_case.twice(self.receiver.events()), set())
        self.assertEqual({injected[recipient] for recipient in accepted}, {1})
        self.check_joined()
        self.assertEqual(mail_case.FieldTable(EXAMPLE / "README.md").problems(mail_case.Catalogue(),
                                                                              self.receiver.events()), [])

    def check_joined(self):
        """Later events know what the milter saw."""
        injections = {event["msg_spoolname"]: event for event in self.receiver.events("injection")}
        checked = collections.Counter()
        for event in self.receiver.events():
            injection = injections.get(event.get("msg_spoolname"))
            if event["type"] not in TYPE_OF.values() or injection is None:
                continue
            for name in ("subject", "message_id", "msg_from", "friendly_from", "campaign_id", "msg_size", "injection_time"):
                self.assertEqual(event.get(name), injection.get(name), name)
            if event["rcpt_to"].startswith("defer-"):
                self.assertEqual(event["num_retries"], "1" if event["type"] == "delivery" else "0")
            checked[event["type"]] += 1
        self.assertEqual(set(checked), set(TYPE_OF.values()))
        expired = [event for event in self.receiver.events("bounce") if event["rcpt_to"].startswith("busy-")]
        self.assertTrue(expired)
        for event in expired:
            self.assertGreater(int(event["num_retries"]), 1)
            self.assertEqual((event["error_code"], event["bounce_class"]), ("451", "10"))

    def send_reports(self):
        samples = mail_case.ROOT / "tests" / "corpus" / "postfix"
        for name, recipient in (("dsn", "bounces+x@example.com"), ("arf", "abuse-reports@example.com")):
            data = (samples / f"{name}.eml").read_bytes()
            headers, _, body = data.partition(b"\r\n\r\n")
            self.assertTrue(body)
            lines = tuple(headers.split(b"\r\n"))
            outcomes = self.send([mail_case.Mail((recipient,), sender="", headers=lines, body=body, subject=b"report")])
            self.assertTrue(outcomes[0].accepted())
        bounce = self.receiver.wait_for(1, "out_of_band")[0]
        complaint = self.receiver.wait_for(1, "spam_complaint")[0]
        self.assertEqual((bounce["rcpt_to"], bounce["error_code"], bounce["bounce_class"], bounce["message_id"]),
                         ("ann@far.example", "550", "10", "1234.5678@mail.example.com"))
        self.assertEqual((complaint["rcpt_to"], complaint["fbtype"], complaint["report_to"], complaint["campaign_id"]),
                         ("bob@far.example", "abuse", "abuse-reports@example.com", "spring"))

    def test_hostile_subjects_arrive_as_the_text_they_are(self):
        mails = [mail_case.Mail((f"accept-{number}@hop.test",), subject=subject)
                 for number, (subject, _) in enumerate(mail_case.HOSTILE_SUBJECTS)]
        outcomes = self.send(mails)
        self.assertEqual([outcome.end[0] for outcome in outcomes], [250] * len(mails))
        self.expect_the_log(outcomes)
        for event_type in ("injection", "delivery"):
            subjects = {event["rcpt_to"]: event.get("subject") for event in self.receiver.events(event_type)}
            for number, (_, text) in enumerate(mail_case.HOSTILE_SUBJECTS):
                subject = subjects[f"accept-{number}@hop.test"]
                if len(text) > 60_000:
                    # Postfix hands a milter the first 60,000 bytes of a header, folds and all.
                    self.assertGreater(len(subject), 59_000)
                    text = text[:len(subject)]
                self.assertEqual(subject, text, event_type)

    def test_nothing_acknowledged_is_missing_after_sigkill_of_each(self):
        sent = {"outcomes": [], "lost": []}

        def load():
            waiting = mixed(MESSAGES)
            deadline = time.monotonic() + 60
            while waiting and time.monotonic() < deadline:
                outcomes, lost = mail_case.send_all(self.postfix.port, waiting)
                sent["outcomes"] += outcomes
                # Who was told to try again, or nothing, does so.
                waiting = lost + [outcome.mail for outcome in outcomes if self.is_temporary(outcome)]
                time.sleep(0.2)
            sent["lost"] = waiting

        sender = threading.Thread(target=load)
        sender.start()
        self.wait_for_injections(20)
        self.daemon.kill()
        time.sleep(0.5)
        self.daemon.start()
        self.wait_for_injections(60)
        self.postfix.kill()
        self.postfix.start()
        self.wait_for_injections(100)
        self.daemon.kill()
        self.daemon.start()
        sender.join()
        self.assertEqual(sent["lost"], [])
        # What was active when Postfix was killed is incoming mail now, for which it looks every five minutes only.
        self.postfix.flush()
        time.sleep(1.5)
        self.postfix.flush()
        self.expect_the_log(sent["outcomes"])

    @staticmethod
    def is_temporary(outcome):
        codes = [code for code, _ in outcome.recipients.values()] + ([outcome.end[0]] if outcome.end else [])
        return any(400 <= code < 500 for code in codes) and not outcome.accepted()

    def wait_for_injections(self, count):
        wait_until(lambda: len(self.receiver.events("injection")) >= count or time.sleep(0.05), f"{count} injections", 40)

    def test_each_way_to_rotate_the_log_loses_and_repeats_nothing(self):
        log = self.postfix.log
        outcomes = []

        def rename():
            log.rename(log.with_name("mail.log.1"))
            self.postfix.run("postfix", "reload")

        def copy_and_truncate():
            # With the daemon down, as the reading must then be found again in the copy.
            self.daemon.kill()
            subprocess.run(["cp", "-p", str(log), str(log.with_name("mail.log.2"))], check=True)
            os.truncate(log, 0)
            self.daemon.start()

        def compress_while_down():
            self.daemon.kill()
            self.postfix.run("postfix", "logrotate")
            wait_until(lambda: list(log.parent.glob("*.gz")), "the compressed log")
            self.daemon.start()

        for number, rotate in enumerate((rename, copy_and_truncate, compress_while_down)):
            outcomes += self.send(mixed(20, number * 100))
            rotate()
            outcomes += self.send(mixed(20, number * 100 + 50))
        self.expect_the_log(outcomes)
        self.assertNotIn("lines may be missing", self.daemon.output())

    def test_a_full_spool_holds_up_no_mail_and_the_log_is_caught_up_with(self):
        self.start_with_a_full_spool()
        begin = time.monotonic()
        outcomes = self.send(mixed(40))
        # The first ones wait a moment, and nobody does behind them.
        self.assertLess(time.monotonic() - begin, 10)
        self.filler.unlink()
        self.receiver.come_back()
        # The follower waited with its log, so nothing of that is lost.
        self.expect_attempts()
        late = [mail_case.Mail((f"accept-late{number}@hop.test",)) for number in range(30)]
        for mail in late:
            outcomes += self.send([mail])
            time.sleep(0.1)
        self.expect_attempts()
        injected = {event["rcpt_to"] for event in self.receiver.events("injection")}
        self.assertLessEqual({mail.recipients[0] for mail in late[15:]}, injected)

    def test_a_full_spool_turns_mail_away_at_once_when_events_are_needed(self):
        self.start_with_a_full_spool("without_event tempfail")
        begin = time.monotonic()
        outcomes = self.send([mail_case.Mail((f"accept-{number}@hop.test",)) for number in range(60)])
        self.assertLess(time.monotonic() - begin, 10)
        self.assertEqual({outcome.end[0] for outcome in outcomes}, {451}, self.daemon.output())
        self.filler.unlink()
        self.receiver.come_back()

        def is_taken():
            time.sleep(0.1)
            return self.send([mail_case.Mail(("accept-late@hop.test",))])[0].end[0] == 250

        wait_until(is_taken, "mail to be taken again", 20)
        self.receiver.wait_for(1, "injection")

    def start_with_a_full_spool(self, *lines):
        """Another daemon in the place of the first, with its spool on a small disk that has no room. The receiver is down:
        deliveries would make room."""
        self.receiver.go_down()
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "posthaste", str(disk)], check=False,
                                 stderr=subprocess.DEVNULL)
        if mounted.returncode != 0:
            self.skipTest("a full spool needs a file system of its own")
        self.addCleanup(subprocess.run, ["umount", "-l", str(disk)], check=True)
        self.daemon.stop()
        with open(self.daemon.config, "a", encoding="utf-8") as config:
            config.write("\n".join([f"engine spool.dir {disk}/spool", "engine spool.file_bytes 256KiB", *lines, ""]))
        self.daemon.start()
        self.filler = disk / "filler"
        large = b"\r\n ".join([b"x" * 70] * 300)

        def is_full():
            # Again and again, as the engine gives back what it kept for such a case.
            with open(self.filler, "ab", buffering=0) as filler, contextlib.suppress(OSError):
                while filler.write(bytes(4096)) == 4096:
                    pass
            # What the journal has left is used up by events that are large.
            self.send([mail_case.Mail(("accept-large@hop.test",), subject=large)])
            return re.search("events of mail are lost|mail is turned away", self.daemon.output())

        wait_until(is_full, "a full spool", 60)

    def expect_attempts(self):
        wait_until(lambda: not self.postfix.queue() or time.sleep(0.3), "an empty queue", 60)
        wait_until(lambda: self.attempts_of_events() == self.attempts_of_log() or time.sleep(0.2), "the events of the log", 30)


if __name__ == "__main__":
    unittest.main(argv=[argument for argument in sys.argv if argument != "--long"], verbosity=2)
