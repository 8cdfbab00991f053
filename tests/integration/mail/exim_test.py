"""Exim with the module of examples/exim: its events are what its own log says, whatever dies meanwhile.

Usage: exim_test.py [--long] [unittest arguments]
"""

import collections
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import unittest

import mail_case
from event_receiver import EventReceiver
from exim_server import EXAMPLE, EximServer, USER, free_port, serve_on
from mail_case import HOSTILE_SUBJECTS, Mail
from next_hop import NextHop
from waiting import wait_until

COMMAND = os.environ["POSTHASTE_COMMAND"]
MODULE = os.environ["POSTHASTE_EXIM_MODULE"]
IS_LONG = False
SETTINGS = {"batch.max_age": "200ms", "retry.base": "200ms", "retry.max": "500ms"}
SMARTHOST = "the next hop of the test"
FINAL = ("delivery", "bounce")


def mixed_mail(count):
    """Accepted, deferred then delivered, bounced in three ways, rejected in two, local, redirected, several at once."""
    mails = []
    for number in range(count):
        kind = number % 10
        one = {0: f"Accept-{number}@far.test", 1: f"accept-{number}@far.test", 2: "alice@local.test",
               3: f"defer-{number}@far.test", 4: f"bounce-{number}@far.test", 5: f"late-{number}@far.test",
               6: "blocked@local.test", 7: f"list@local.test", 8: f"nobody-{number}@local.test",
               9: f"accept-{number}@far.test"}[kind]
        if kind == 9:
            several = (one, f"defer-{number}-b@far.test", "bob@local.test", f"bounce-{number}-b@far.test",
                       "blocked@local.test")
            mails.append(Mail(several))
        elif kind == 1 and number % 40 == 1:
            mails.append(Mail((one, "bob@local.test"), body=b"x" * 1200 + b"\r\n"))
        else:
            mails.append(Mail((one,)))
    return mails


def hostile_mail():
    return [Mail((f"accept-hostile-{number}@far.test",), subject=raw) for number, (raw, _) in enumerate(HOSTILE_SUBJECTS)]


def counted(events, event_type):
    return collections.Counter((event["message_id"], event["rcpt_to"]) for event in events if event["type"] == event_type)


class EximTest(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("Exim wants root")
        self.folder = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp", prefix="posthaste-exim-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o755)
        self.spool = self.folder / "posthaste"
        self.spool.mkdir(mode=0o770)
        shutil.chown(self.spool, USER, USER)
        self.receiver = EventReceiver()
        self.addCleanup(self.receiver.close)
        self.hop = NextHop()
        self.addCleanup(self.hop.close)

    def start_exim(self, hosts=SMARTHOST, **options):
        hosts = hosts if hosts != SMARTHOST else f"127.0.0.1::{self.hop.port}"
        self.exim = EximServer(self.folder, MODULE, self.spool, hosts, **options)
        self.addCleanup(self.exim.stop)
        self.exim.start()

    def start_serve(self):
        self.serve = serve_on(COMMAND, self.spool, [self.receiver.url], SETTINGS)
        self.addCleanup(self.serve.stop)
        self.serve.start()

    def wait_for_events_of_log(self):
        """Once Exim has done all, until as many events came as the log has lines, and a little longer."""
        self.exim.wait_for_empty_queue()
        told = self.exim.told()
        count = sum(sum(told[name].values()) for name in ("injection", "delivery", "bounce", "delay"))
        wait_until(lambda: sum(event["type"] != "policy_rejection" for event in self.receiver.events()) >= count,
                   f"{count} events", 60)
        time.sleep(1)
        return told

    def assert_equal_to_log(self):
        told = self.wait_for_events_of_log()
        events = self.receiver.events()
        for event_type in ("injection", "delivery", "bounce", "delay"):
            self.assertEqual(counted(events, event_type), told[event_type], event_type)
        self.assertEqual(mail_case.twice(events), set())
        return told, events

    def assert_valid(self):
        catalogue = mail_case.Catalogue()
        problems = [problem for name, event in self.receiver.records() for problem in catalogue.problems(name, event)]
        self.assertEqual(problems, [])


class LogTest(EximTest):
    def test_events_are_what_the_log_says_with_the_receiver_down_for_part_of_the_time(self):
        self.start_serve()
        self.start_exim()
        mails = mixed_mail(240 if not IS_LONG else 2000) + hostile_mail()
        half = len(mails) // 2
        outcomes, lost = mail_case.send_all(self.exim.port, mails[:half])
        self.receiver.go_down()
        more, lost_more = mail_case.send_all(self.exim.port, mails[half:])
        self.receiver.come_back()
        outcomes += more
        self.assertEqual(lost + lost_more, [])
        told, events = self.assert_equal_to_log()
        self.assert_valid()
        self.check_answers(outcomes, events)
        self.check_rejections(outcomes, told, events)
        self.check_subjects(events)
        self.check_spelling(events)
        table = mail_case.FieldTable(EXAMPLE.parent / "README.md")
        self.assertEqual(table.problems(mail_case.Catalogue(), events), [])
        self.assertEqual(list((self.exim.spool / "posthaste").iterdir()), [], "files of messages that are over")

    def check_answers(self, outcomes, events):
        injected = collections.Counter(event["rcpt_to"] for event in events
                                       if event["type"] == "injection" and event["recv_method"] == "esmtp")
        taken = collections.Counter(recipient.lower() for outcome in outcomes for recipient in outcome.accepted())
        self.assertEqual(injected, taken)

    def check_rejections(self, outcomes, told, events):
        refused = collections.Counter()
        for outcome in outcomes:
            named = [recipient for recipient, (code, _) in outcome.recipients.items() if code == 250]
            refused.update(recipient.lower() for recipient, (code, _) in outcome.recipients.items() if code == 550)
            if outcome.end is not None and outcome.end[0] == 550:
                refused.update(recipient.lower() for recipient in named)
        rejections = [event for event in events if event["type"] == "policy_rejection"]
        self.assertEqual(collections.Counter(event["rcpt_to"] for event in rejections), refused)
        # The log has one line for a message, and one for each recipient that was refused alone.
        lines = collections.Counter(event["rcpt_to"] for event in rejections if "message_id" not in event)
        lines.update({event["message_id"]: 1 for event in rejections if "message_id" in event})
        self.assertEqual(lines, told["policy_rejection"])
        for event in rejections:
            self.assertIn(event["raw_reason"], ("550 5.7.1 mail to this address is not taken",
                                                "550 5.6.0 a line is longer than 998 characters"))

    def check_subjects(self, events):
        for number, (_, text) in enumerate(HOSTILE_SUBJECTS):
            subjects = {event["type"]: event["subject"] for event in events
                        if event.get("rcpt_to") == f"accept-hostile-{number}@far.test"}
            self.assertEqual(subjects, {"injection": text, "delivery": text})

    def check_spelling(self, events):
        raw = [event["raw_rcpt_to"] for event in events if event["rcpt_to"] == "accept-0@far.test"]
        self.assertEqual(raw, ["Accept-0@far.test"] * 2)


class DeferralTest(EximTest):
    """Each `==` line of the log is one delay, wherever the next hop puts the recipient off."""

    def deferred(self, hosts=SMARTHOST, recipients=("accept-1@far.test", "accept-2@far.test"), **options):
        """Sends one message, lets Exim try it twice, and compares with the log of both attempts."""
        self.start_serve()
        self.start_exim(hosts, **options)
        mail_case.send_all(self.exim.port, [Mail(recipients)])
        count = 2 * len(recipients)
        wait_until(lambda: sum(self.exim.told()["delay"].values()) >= count, "two attempts")
        self.exim.stop()
        told = self.exim.told()["delay"]
        wait_until(lambda: counted(self.receiver.events(), "delay") == told, "the delays of the log")
        time.sleep(0.5)
        delays = [event for event in self.receiver.events() if event["type"] == "delay"]
        self.assertEqual(counted(delays, "delay"), told)
        self.assert_valid()
        return delays

    def test_a_refused_connection_delays_every_recipient(self):
        delays = self.deferred(f"127.0.0.1::{free_port()}")
        self.assertEqual({event["reason"] for event in delays}, {"Connection refused"})

    def test_a_refused_sender_delays_every_recipient(self):
        self.hop.refuse_at("MAIL")
        self.assertEqual({event["error_code"] for event in self.deferred()}, {"451"})

    def test_refused_recipients_are_delayed(self):
        delays = self.deferred(recipients=("busy-1@far.test", "busy-2@far.test"))
        self.assertEqual({event["ip_address"] for event in delays}, {"127.0.0.1"})

    def test_a_refused_message_delays_every_recipient(self):
        self.hop.refuse_at(".")
        self.deferred()

    def test_a_connection_that_breaks_delays_every_recipient(self):
        self.hop.break_at("DATA")
        self.deferred()

    def test_a_recipient_that_one_host_put_off_while_the_others_rest_is_delayed(self):
        # The second host refuses connections, and is passed over at the second attempt.
        self.deferred(f"127.0.0.1::{self.hop.port} : 127.0.0.1::{free_port()}", recipients=("busy-1@far.test",),
                      retry="* rcpt_4xx F,1h,1s\n* * F,1h,1m")


    def test_a_dns_that_does_not_answer_delays_every_recipient(self):
        delays = self.deferred(None)
        self.assertEqual({event["reason"] for event in delays}, {"the DNS did not answer"})


class OperatorTest(EximTest):
    def test_a_message_that_an_operator_gives_up_bounces_once(self):
        self.start_serve()
        self.start_exim()
        mail_case.send_all(self.exim.port, [Mail(("busy-1@far.test",))])
        self.receiver.wait_for(1, "delay")
        (message,) = {event["message_id"] for event in self.receiver.events()}
        self.exim.run("-Mg", message)
        self.receiver.wait_for(1, "bounce")
        self.exim.wait_for_empty_queue()
        time.sleep(1)
        (bounce,) = self.receiver.events("bounce")
        self.assertIn("delivery cancelled by administrator", bounce["raw_reason"])

    def test_mail_from_a_program_of_the_machine_is_injected(self):
        self.start_serve()
        self.start_exim()
        self.exim.run("-oi", "accept-1@far.test", text="Subject: by a program\n\ntext\n")
        self.receiver.wait_for(1, "delivery")
        (injection,) = self.receiver.events("injection")
        self.assertEqual((injection["recv_method"], injection["subject"]), ("local", "by a program"))

    def test_mail_goes_its_way_when_events_cannot_be_written(self):
        self.spool.chmod(0o777)
        self.start_exim()
        outcomes, _ = mail_case.send_all(self.exim.port, [Mail(("accept-1@far.test",))])
        self.assertEqual(len(outcomes[0].accepted()), 1)
        wait_until(self.hop.taken, "the delivery")
        self.assertTrue(any("posthaste: no events" in line for line in self.exim.log()))
        self.assertFalse((self.exim.logs / "paniclog").exists())


class CrashTest(EximTest):
    def test_nothing_that_exim_acknowledged_is_missing_when_processes_are_killed(self):
        self.start_serve()
        self.start_exim()
        self.make_hints()
        outcomes = []
        for number in range(3 if not IS_LONG else 15):
            mails = [Mail((f"accept-{number}-{one}@far.test", *((f"defer-{number}-{one}@far.test", "bob@local.test")
                                                                 if one % 3 == 0 else ()))) for one in range(60)]
            outcomes += self.send_and_kill(mails, number)
        self.exim.wait_for_empty_queue()
        self.wait_for_all(outcomes)
        self.assert_valid()
        self.assertEqual(mail_case.twice(self.receiver.events()), set())

    def deliver_and_die(self, recipients):
        """Leaves what Exim leaves when it is killed between a delivery and its line in the log: the address stands in
        the message's journal. Returns the deliveries that are told of once Exim has gone on."""
        self.start_serve()
        self.start_exim()
        mail_case.send_all(self.exim.port, [Mail(recipients)])
        wait_until(lambda: self.exim.told()["delay"], "a deferral")
        self.exim.stop()
        (message,) = {name[:-2] for name in os.listdir(self.exim.spool / "input")}
        journal = self.exim.spool / "input" / f"{message}-J"
        journal.write_text("busy-1@far.test\n")
        shutil.chown(journal, USER, USER)
        self.exim.start()
        self.exim.wait_for_empty_queue()
        self.receiver.wait_for(len(recipients), "delivery")
        time.sleep(1)
        self.assertEqual(self.exim.told()["delivery"][message, "busy-1@far.test"], 0)
        self.assert_valid()
        return [event["rcpt_to"] for event in self.receiver.events("delivery")]

    def test_a_delivery_that_exim_died_before_telling_of_is_told_at_the_end(self):
        self.assertEqual(self.deliver_and_die(("busy-1@far.test",)), ["busy-1@far.test"])

    def test_of_several_recipients_only_the_missing_one_is_told_at_the_end(self):
        self.assertEqual(self.deliver_and_die(("accept-1@far.test", "busy-1@far.test")),
                         ["accept-1@far.test", "busy-1@far.test"])

    def make_hints(self):
        """Berkeley DB takes an empty file for one that another process is making, and waits for it for 100 seconds; so
        Exim's hints are made before anything dies."""
        mail_case.send_all(self.exim.port, [Mail(("defer-first@far.test",))])
        self.receiver.wait_for(1, "delivery")

    def send_and_kill(self, mails, number):
        """Kills what delivers, then `serve`, then all of Exim and `serve` at once, each in the middle of a load."""
        results = []
        sender = threading.Thread(target=lambda: results.append(mail_case.send_all(self.exim.port, mails)))
        taken = len(self.hop.taken())
        sender.start()
        wait_until(lambda: len(self.hop.taken()) >= taken + 10 + 5 * number or not sender.is_alive(), "load")
        if number % 3 == 0:
            self.exim.kill_deliveries()
        else:
            self.serve.kill()
        if number % 3 == 2:
            self.exim.kill()
        sender.join()
        if number % 3 != 0:
            self.serve.start()
        if number % 3 == 2:
            self.exim.start()
        # What was killed is taken up again before the next kill.
        time.sleep(2)
        return results[0][0]

    def wait_for_all(self, outcomes):
        taken = collections.Counter(recipient for outcome in outcomes for recipient in outcome.accepted())
        self.assertGreater(sum(taken.values()), 50)

        def missing():
            events = self.receiver.events()
            for names in (("injection",), FINAL):
                seen = collections.Counter(event["rcpt_to"] for event in events if event["type"] in names)
                yield from ((names[0], recipient) for recipient in taken - seen)
            ended = counted(events, "delivery")
            for event_type, line in ((name, line) for name, lines in self.exim.told().items() for line in lines):
                if event_type == "delivery" and line not in ended:
                    yield event_type, line

        try:
            wait_until(lambda: not list(missing()) or time.sleep(0.2), "all events", 30)
        except AssertionError:
            self.assertEqual(list(missing()), [])


if __name__ == "__main__":
    if "--long" in sys.argv:
        sys.argv.remove("--long")
        IS_LONG = True
    unittest.main()
