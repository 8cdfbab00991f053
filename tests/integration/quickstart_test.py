"""The quickstart example delivers its three events and says so."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from mini_mta_host import WAIT_S, Receiver


def run_quickstart(*arguments):
    return subprocess.run([os.environ["POSTHASTE_QUICKSTART"], *arguments], capture_output=True,
                          text=True, timeout=WAIT_S, check=False)


class Quickstart(unittest.TestCase):
    def test_three_events_arrive_in_one_batch_and_are_reported(self):
        with tempfile.TemporaryDirectory(prefix="posthaste-") as folder:
            receiver = Receiver(folder)
            self.addCleanup(receiver.end)
            result = run_quickstart(receiver.url + "/hook")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn("delivered: ", result.stdout)
            self.assertEqual(len(receiver.requests()), 1)
            events = receiver.events()
            self.assertEqual([event["type"] for event in events], ["injection", "delivery", "bounce"])
            self.assertEqual({event["class"] for event in events}, {"message_event"})
            self.assertEqual({event["message_id"] for event in events}, {"0000d0678854f761a402"})
            self.assertEqual(len({event["event_id"] for event in events}), 3)

    def test_an_unusable_target_ends_with_a_message_that_names_the_error(self):
        result = run_quickstart("ftp://receiver.test/")
        self.assertEqual(result.returncode, 1)
        self.assertIn("POSTHASTE_E_BAD_TARGET", result.stderr)
        self.assertEqual(run_quickstart().returncode, 2)

    def test_it_stays_under_sixty_lines(self):
        source = pathlib.Path(__file__).parents[2] / "examples" / "c" / "quickstart.c"
        self.assertLess(len(source.read_text().splitlines()), 60)


if __name__ == "__main__":
    unittest.main()
