"""Help, versions, unknown subcommands and flags. Bad values of every argument: bad_input_test.py."""

import json
import pathlib
import re
import subprocess
import unittest

from command import COMMAND, run

TREE = pathlib.Path(__file__).parents[3]


def subcommands(path=()):
    """Every path of subcommands, the empty one first, with its help."""
    status, text, errors = run(*path, "--help")
    assert status == 0 and not errors, (path, status, errors)
    yield path, text
    listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.M)
    for name in re.findall(r"^  (\S+)", listed.group(1), re.M) if listed else []:
        yield from subcommands((*path, name))


def options(text):
    """The options of a help text: name and the type of its value, None for a flag."""
    return re.findall(r"^  (?:-\w,)?(--[a-z0-9-]+)(?: ([A-Z][A-Z:=_@]*))?(?= |\n|$)", text, re.M)


class Usage(unittest.TestCase):
    def assert_refused(self, arguments, culprit=None):
        status, output, errors = run(*arguments, data=b"")
        self.assertEqual(status, 2, (arguments, output, errors))
        self.assertRegex(errors, r"\Aposthaste: [^\n]+\n\Z", arguments)
        self.assertNotRegex(errors, r"\Aposthaste: [A-Z][a-z]", arguments)
        self.assertNotIn(".\n", errors)
        if culprit:
            self.assertIn(culprit, errors)

    def test_every_subcommand_has_help_that_fits_a_terminal(self):
        for path, text in subcommands():
            self.assertIn("--help", text)
            self.assertLessEqual(max(len(line) for line in text.splitlines()), 118, path)
            self.assertRegex(text, r"^[A-Z][^\n]+\.\n", path)

    def test_unknown_flags_and_missing_values_are_refused_by_name(self):
        for path, text in subcommands():
            # Of two faults the other one may be told.
            needs_more = "Required." in text or re.search(r"^Usage: .*\] [A-Z]", text, re.M)
            self.assert_refused([*path, "--no-such-flag"], None if needs_more else "--no-such-flag")
            for name, kind in options(text):
                if kind:
                    self.assert_refused([*path, name], name)

    def test_no_subcommand_and_unknown_ones_are_refused(self):
        self.assert_refused([])
        self.assert_refused(["frobnicate"], "frobnicate")

    def test_the_version_is_that_of_command_and_library(self):
        for arguments in (["--version"], ["version"]):
            status, output, _ = run(*arguments)
            self.assertEqual(status, 0)
            self.assertRegex(output, r"\Aposthaste \d+\.\d+\.\d+\n\Z")
        self.assertRegex(run("version", "--json")[1], r'\A\{"command": "[\d.]+", "library": "[\d.]+"\}\n\Z')

    def test_a_full_disk_is_no_success(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([COMMAND, "config"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, b"posthaste: cannot write to standard output\n")

    def test_events_show_the_catalogue(self):
        status, output, _ = run("events")
        self.assertEqual(status, 0)
        self.assertRegex(output, r"(?m)^message_event: ")
        self.assertRegex(output, r"(?m)^  out_of_band +\S")
        self.assertEqual(len(json.loads(run("events", "--json")[1])), 8)
        self.assertRegex(run("events", "delivery")[1], r"(?m)^event_id +a string +\S")
        self.assertIn("event", json.loads(run("events", "delivery", "--json")[1]))
        self.assert_refused(["events", "nonsense"], "nonsense")

    def test_config_shows_the_property_table(self):
        status, output, _ = run("config", "--markdown")
        self.assertEqual(status, 0)
        self.assertEqual(output, (TREE / "docs" / "configuration.md").read_text())
        self.assertIn("batch.max_age", run("config")[1])
        self.assertRegex(run("config", "batch.max_age")[1], r"default +30s")
        self.assert_refused(["config", "no.such.key"], "no.such.key")
        self.assert_refused(["config", "--json", "--markdown"], "--json")


if __name__ == "__main__":
    unittest.main()
