"""Help, versions, and bad input on every flag of every subcommand: one clear line and the documented exit status."""

import json
import pathlib
import re
import subprocess
import unittest

from command import COMMAND, run

TREE = pathlib.Path(__file__).parents[3]
# What no option of the type may take; None: any text is fine.
BAD_VALUES = {
    "HOST:PORT": ["", "nonsense", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:x", "host.invalid:80", "[::1:80"],
    "NUMBER": ["", "x", "-1", "1.5", "99999999999999999999999"],
    "RULE": ["", "abc", "99", "600", "503:", "503:every=0", "503:never=1", "503:for=2s", "reset:retry-after=1", "413:over=x"],
    "SECRET": ["", "whsec_", "whsec_!!!!", "whpk_AAAA", "secret"],
    "TIME": ["", "x", "-1s", "2026-13-01", "12:00", "0s1"],
    "KEY=VALUE": ["", "x", "=1", "=", " =1"],
    "URL": ["", "x", "ftp://h", "127.0.0.1:80", "http://"],
    "SOURCE": ["", "pigeon", "unix:", "http:x"],
    "NAME=VALUE": ["", "x", "=1"],
    "NUMBERS": None,  # looked at with the webhook
    "TYPES": None,
    "SECRET_OR_@FILE": None,
    "KEY": None,
    "ZONE": None,
    "TEXT": None,
    "DIR": None,
    "FILE": None,
    "ID": None,
    "TOKEN": None,
    "NAME": None,
}


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

    def test_bad_values_of_every_typed_option_are_refused_by_name(self):
        seen = 0
        for path, text in subcommands():
            for name, kind in options(text):
                if kind:
                    self.assertIn(kind, BAD_VALUES, f"{path} {name}: say here what it may not take")
                for value in BAD_VALUES.get(kind) or []:
                    self.assert_refused([*path, f"{name}={value}"], name)
                    seen += 1
        self.assertGreater(seen, 20)

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
