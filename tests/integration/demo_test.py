"""scripts/demo.sh succeeds, and fails with a clear message when any one of its four events is missing."""

import os
import pathlib
import subprocess
import unittest

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "demo.sh"


def run_all(argument_lists):
    """Runs the demo with each of the argument lists at the same time; returns status, output and errors of each."""
    runs = [subprocess.Popen([SCRIPT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for arguments in argument_lists]
    outputs = [run.communicate(timeout=100) for run in runs]
    return [(run.returncode, *output) for run, output in zip(runs, outputs)]


class Demo(unittest.TestCase):
    def test_it_fails_exactly_when_an_event_is_missing(self):
        self.assertIn("POSTHASTE_BUILD", os.environ)
        kinds = ["injection", "delivery", "open", "click"]
        whole, *others = run_all([[]] + [["--suppress", kind] for kind in kinds])
        self.assertEqual(whole[0], 0, whole)
        self.assertIn("The demo succeeded.", whole[1])
        self.assertIn("X-MessageSystems-Webhook-Token: demo-token-", whole[1])
        for kind, (status, _, errors) in zip(kinds, others):
            self.assertEqual(status, 1, errors)
            self.assertRegex(errors, f"demo failed: no {kind} event with message_id [0-9a-f]{{20}} arrived")
            self.assertEqual(errors.count("demo failed"), 1)

    def test_it_explains_bad_arguments(self):
        (status, _, errors), = run_all([["--suppress", "bounce"]])
        self.assertEqual(status, 1)
        self.assertIn("usage: scripts/demo.sh", errors)


if __name__ == "__main__":
    unittest.main()
