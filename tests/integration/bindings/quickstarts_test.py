"""The quickstart is the same little program in every language: all of them print the same lines, end with the same exit
statuses and send the same events.

Usage: quickstarts_test.py [--quickstart LANGUAGE COMMAND...]...
"""

import subprocess
import sys
import tempfile
import unittest

from mini_mta_host import WAIT_S, Receiver

PRINTED = "delivered: delivered 3 events, HTTP 200\n"
EVENTS = [{"class": "message_event", "type": kind, "message_id": "0000d0678854f761a402", "rcpt_to": "a@b.test"}
          for kind in ("injection", "delivery", "bounce")]
QUICKSTARTS = {}


def read_arguments(arguments):
    command = None
    while arguments:
        if arguments[0] == "--quickstart":
            command = QUICKSTARTS.setdefault(arguments[1], [])
            del arguments[:2]
        else:
            command.append(arguments.pop(0))


def run(command, *arguments):
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=WAIT_S, check=False)


class Quickstarts(unittest.TestCase):
    def setUp(self):
        self.assertTrue(QUICKSTARTS)

    def test_all_print_one_line_and_send_the_same_three_events(self):
        for language, command in QUICKSTARTS.items():
            with self.subTest(language):
                with tempfile.TemporaryDirectory(prefix="posthaste-") as folder:
                    receiver = Receiver(folder)
                    try:
                        result = run(command, receiver.url + "/hook")
                        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, PRINTED, ""))
                        self.assertEqual(len(receiver.requests()), 1)
                        events = receiver.events()
                        self.assertEqual(len({event.pop("event_id") for event in events}), 3)
                        for event in events:
                            self.assertRegex(event.pop("timestamp"), r"^\d+$")
                        self.assertEqual(events, EVENTS)
                    finally:
                        receiver.end()

    def test_an_unusable_target_ends_all_with_the_name_of_the_error(self):
        for language, command in QUICKSTARTS.items():
            with self.subTest(language):
                result = run(command, "ftp://receiver.test/")
                self.assertEqual((result.returncode, result.stdout), (1, ""))
                self.assertTrue(result.stderr.startswith("POSTHASTE_E_BAD_TARGET: "), result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)

    def test_a_missing_argument_ends_all_with_their_usage(self):
        for language, command in QUICKSTARTS.items():
            with self.subTest(language):
                result = run(command)
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertRegex(result.stderr, r"^usage: .*quickstart.* URL\n$")


if __name__ == "__main__":
    read_arguments(sys.argv[1:])
    unittest.main(argv=sys.argv[:1])
