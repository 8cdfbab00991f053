"""posthaste-postfix follows the journal: made-up journal files, no Postfix.

Usage: postfix_journal_test.py; POSTHASTE_POSTFIX names the daemon.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

from event_receiver import EventReceiver
from postfix_daemon import Daemon

WRITER = "/lib/systemd/systemd-journal-remote"


@unittest.skipUnless(pathlib.Path(WRITER).exists(), "journal files need systemd-journal-remote")
class PostfixJournalTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp", prefix="posthaste-postfix-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.journal = self.folder / "journal"
        self.journal.mkdir()
        self.files = 0
        self.receiver = EventReceiver()
        self.addCleanup(self.receiver.close)
        self.daemon = Daemon(os.environ["POSTHASTE_POSTFIX"], self.folder / "daemon", "journal:" + str(self.journal),
                             [self.receiver.url], ("batch.max_age 100ms", "retry.base 100ms"))
        self.addCleanup(self.daemon.stop)

    def write(self, *entries):
        """Adds a file of the journal, as a rotation does: the time in seconds, the identifier, the message."""
        text = "".join(f"__REALTIME_TIMESTAMP={int(seconds * 1e6)}\nSYSLOG_FACILITY={facility}\n"
                       f"SYSLOG_IDENTIFIER={identifier}\nMESSAGE={message}\n\n"
                       for seconds, facility, identifier, message in entries)
        self.files += 1
        # Written elsewhere and moved, so that the daemon finds it whole.
        made = self.folder / f"made-{self.files}.journal"
        subprocess.run([WRITER, "-o", str(made), "-"], input=text.encode(), check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        made.rename(self.journal / f"{self.files}.journal")

    @staticmethod
    def sent(number, seconds, status="sent", facility=2, identifier="postfix/smtp"):
        return (seconds, facility, identifier, f"4jYVRD6jT4z85lr: to=<u{number}@far.example>, relay=far.example[192.0.2.7]:25, "
                f"delay=0.5, delays=0.1/0/0.1/0.3, dsn=2.0.0, status={status} (250 2.0.0 ok)")

    def recipients(self):
        return [event["rcpt_to"] for event in self.receiver.events("delivery")]

    def test_entries_become_events_once_over_restarts_and_further_files(self):
        self.write(self.sent(0, 1795493700))
        self.daemon.start()
        self.write(self.sent(1, 1795493719.25), self.sent(98, 1795493719.3, facility=3),
                   self.sent(97, 1795493719.4, identifier="dovecot/smtp"), self.sent(2, 1795493720, status="deferred"))
        delivery = self.receiver.wait_for(1, "delivery")[0]
        self.assertEqual((delivery["timestamp"], delivery["queue_time"], delivery["ip_address"], delivery["msg_spoolname"]),
                         ("1795493719", "500", "192.0.2.7", "4jYVRD6jT4z85lr"))
        self.receiver.wait_for(1, "delay")
        # The place is saved each second.
        time.sleep(1.5)
        self.daemon.kill()
        self.write(self.sent(3, 1795493730))
        self.daemon.start()
        self.receiver.wait_for(2, "delivery")
        self.write(self.sent(4, 1795493740))
        self.receiver.wait_for(3, "delivery")
        self.assertEqual(self.recipients(), ["u1@far.example", "u3@far.example", "u4@far.example"])
        self.assertEqual(self.receiver.events("delivery")[1]["num_retries"], "0")


if __name__ == "__main__":
    unittest.main(verbosity=2)
