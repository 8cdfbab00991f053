"""Manual pages and completion are made from the definitions, are well-formed, and know every subcommand and flag."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from usage_test import options, subcommands

MANUAL = os.environ["POSTHASTE_MANUAL"]


class Manual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        subprocess.run([MANUAL, "man", cls.folder.name], check=True)
        cls.pages = {path.name: path.read_text() for path in pathlib.Path(cls.folder.name).iterdir()}
        cls.completion = subprocess.run([MANUAL, "bash"], check=True, capture_output=True, text=True).stdout

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_flag_stands_in_the_manual(self):
        seen = 0
        for path, text in subcommands():
            page = self.pages["-".join(["posthaste", *path[:1]]) + ".1"]
            for name, _ in options(text):
                self.assertIn(name.replace("-", "\\-"), page, path)
                seen += 1
        self.assertGreater(seen, 50)

    @unittest.skipUnless(shutil.which("groff"), "needs groff")
    def test_the_pages_are_set_without_a_warning(self):
        for name, text in self.pages.items():
            done = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8"], input=text, text=True, capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)

    def complete(self, *words):
        script = self.completion + f'''
COMP_WORDS=({" ".join(repr(word) for word in words)})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_posthaste
printf "%s\\n" "${{COMPREPLY[@]}}"'''
        return subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout.split()

    def test_bash_completes_subcommands_flags_and_values(self):
        self.assertEqual(self.complete("posthaste", "s"), ["serve", "spool", "sink"])
        self.assertEqual(self.complete("posthaste", "webhook", "p"), ["pause"])
        self.assertEqual(self.complete("posthaste", "webhook", "create", "--auth", "b"), ["basic", "bearer"])
        self.assertEqual(self.complete("posthaste", "key", "create", "--gr"), ["--grant"])
        self.assertEqual(self.complete("posthaste", "serve", "--listen", "x"), [])
        for path, text in subcommands():
            found = self.complete("posthaste", *path, "--")
            self.assertEqual(sorted(found), sorted(name for name, _ in options(text)), path)


if __name__ == "__main__":
    unittest.main()
