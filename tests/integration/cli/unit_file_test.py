"""The systemd unit: systemd takes it, and judges it well protected.

Usage: unit_file_test.py UNIT
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from command import COMMAND

UNIT = pathlib.Path(sys.argv.pop())
EXPOSURE_MAX = 1.5  # systemd calls what is below 2 SAFE or OK


@unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd")
class UnitFile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.unit = pathlib.Path(folder.name) / "posthaste.service"
        # verify wants the program to be there.
        self.unit.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={COMMAND}", UNIT.read_text(), flags=re.M))

    def test_systemd_finds_no_fault_with_it(self):
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", self.unit], text=True,
                              capture_output=True, check=False)
        self.assertEqual((done.returncode, [line for line in done.stderr.splitlines() if "posthaste" in line]), (0, []))

    def test_it_is_well_protected(self):
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", self.unit], text=True, capture_output=True,
                              check=False)
        exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
        self.assertTrue(exposure, done.stdout + done.stderr)
        self.assertLessEqual(float(exposure.group(1)), EXPOSURE_MAX, done.stdout)

    def test_its_command_line_is_understood(self):
        arguments = re.search(r"^ExecStart=\S+ (.*)$", self.unit.read_text(), re.M).group(1).split()
        done = subprocess.run([COMMAND, *arguments, "--set", "memory=maybe"], text=True, capture_output=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("/etc/posthaste/posthaste.conf", done.stderr)


if __name__ == "__main__":
    unittest.main()
