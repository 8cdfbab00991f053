"""Bad input on every argument of every subcommand: one clear line, and the exit status that is documented for it.

The arguments are those of the command's own definitions. One that says what it takes is given what it may not take
(BAD_VALUES); for each other one a row of ROWS says what is bad, what comes of it, and which word tells. An argument without
a row fails the test.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from command import run
from server import Server

EVENT = b'{"type":"delivery"}\n'
FAILED, USAGE, UNREACHABLE, DENIED, BUSY = 1, 2, 3, 4, 5

# By what an argument takes. All of it is refused before anything is done.
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
    "TOKEN": [""],
    "NAME": ["", "a b", "a:b", "a\nb"],
}
NOWHERE = "/nowhere/at/all"
MISSING = [(NOWHERE, USAGE, NOWHERE), ("FOLDER", USAGE, "FOLDER")]
UNREAD_SECRET = [(f"@{NOWHERE}", USAGE, NOWHERE), ("@FOLDER/empty", USAGE, "FOLDER/empty")]
NO_SPOOL = [(NOWHERE, FAILED, NOWHERE), ("FOLDER", FAILED, "no spool"), ("RUNNING", BUSY, "in use by process")]
NOT_FOUND = [("no-such", FAILED, "404"), ("../x", FAILED, "404")]
NO_BATCH = [("no-such", FAILED, "no-such"), ("", USAGE, "BATCH")]
OAUTH = ["--auth", "oauth2", "--oauth2-url", "http://127.0.0.1:9/", "--oauth2-client-id", "c", "--oauth2-client-secret", "s"]

# By "SUBCOMMAND ARGUMENT", else by the argument alone: bad value, exit status, a word of the error, further arguments.
ROWS = {
    "--api-key": [("wrong-key-wrong-key-wrong", DENIED, "401"), ("a\nb", USAGE, "API key")],
    "--api-key-file": [*MISSING, ("FOLDER/empty", USAGE, "FOLDER/empty")],
    "serve --api-key-file": [*MISSING, ("FOLDER/text", USAGE, "line 1")],
    "serve --engagement-key-file": [*MISSING, ("FOLDER/empty", USAGE, "FOLDER/empty"), ("FOLDER/text", USAGE, "line 1")],
    "serve --config": [*MISSING, ("FOLDER/text", USAGE, "line 1"), ("FOLDER/unknown", USAGE, "no.such.key")],
    "serve --webhooks": [*MISSING, ("FOLDER/text", USAGE, "FOLDER/text")],
    "serve --spool-dir": [("/proc/none/spool", FAILED, "/proc/none"), ("FOLDER/text", FAILED, "FOLDER/text"), ("RUNNING", BUSY, "in use by process")],
    "--spool-dir": NO_SPOOL,
    "push --api-key": [("a\nb", USAGE, "API key")],
    "push --socket": [(NOWHERE, UNREACHABLE, NOWHERE, "--retry-for", "1ms"), ("FOLDER/text", UNREACHABLE, "FOLDER/text", "--retry-for", "1ms")],
    "push FILE": MISSING,
    "--timezone": [("Nowhere/Atall", FAILED, "timezone"), ("../../etc/passwd", FAILED, "timezone")],
    "webhook ID": NOT_FOUND,
    "--name": [("", FAILED, "name"), ("x" * 5000, FAILED, "name"), ("a\nb", FAILED, "name")],
    "--target": [("", FAILED, "target"), ("ftp://h/", FAILED, "target"), ("http://", FAILED, "target")],
    "--events": [("", FAILED, "events"), ("nope", FAILED, "nope"), ("delivery,,open", FAILED, "events")],
    "--token": [*UNREAD_SECRET, ("a\nb", FAILED, "auth_token")],
    "--auth-user": [("", FAILED, "fit", "--auth", "basic"), ("a:b", FAILED, "auth.user", "--auth", "basic")],
    "--auth-password": [(*row, "--auth", "basic", "--auth-user", "u") for row in UNREAD_SECRET],
    "--auth-bearer": [*((*row, "--auth", "bearer") for row in UNREAD_SECRET), ("a\nb", FAILED, "auth.bearer", "--auth", "bearer")],
    "--oauth2-url": [("ftp://x", FAILED, "url", *OAUTH), ("", FAILED, "oauth2", *OAUTH)],
    "--oauth2-client-id": [(f"@{NOWHERE}", USAGE, NOWHERE, *OAUTH), ("a\nb", FAILED, "client_id", *OAUTH)],
    "--oauth2-client-secret": [(*row, *OAUTH) for row in UNREAD_SECRET],
    "--oauth2-scope": [("a\nb", FAILED, "scope", *OAUTH)],
    "--exception-subaccounts": [("x", USAGE, "--exception-subaccounts"), ("-1", USAGE, "--exception-subaccounts"),
                                ("1,1", FAILED, "exception_subaccounts")],
    "webhook test --message": [*MISSING, ("FOLDER/text", USAGE, "FOLDER/text")],
    "key create NAME": [("", FAILED, "name"), ("x" * 65, FAILED, "name")],
    "key revoke ID": NOT_FOUND,
    "spool BATCH": NO_BATCH,
    "spool purge WEBHOOK": [("no-such", FAILED, "no-such")],
    "--webhook": [("", USAGE, "--webhook")],
    "spool export --output": [(NOWHERE, FAILED, NOWHERE), ("FOLDER", FAILED, "FOLDER")],
    "events TYPE": [("nonsense", USAGE, "nonsense")],
    "config KEY": [("no.such.key", USAGE, "no.such.key")],
}


def arguments():
    """Subcommand, argument and what it takes, of all there are."""
    done = subprocess.run([os.environ["POSTHASTE_MANUAL"], "arguments"], check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        path, name, takes = line.split("\t")
        yield path.removeprefix("posthaste").strip(), name, takes


def rows_of(path, name):
    """Those of the whole subcommand, of its group, or of the argument wherever it stands."""
    for key in (f"{path} {name}", f"{path.split(' ')[0]} {name}", name):
        if key in ROWS:
            return ROWS[key]
    return None


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="posthaste-bad-input-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        (cls.folder / "empty").touch()
        (cls.folder / "text").write_text("no setting, no key, no JSON\n")
        (cls.folder / "unknown").write_text("no.such.key = 1\n")
        with Server(cls.folder, name="stopped", spool="stopped") as stopped:
            assert stopped.end() == 0
        cls.server = Server(cls.folder)
        cls.addClassCleanup(cls.server.__exit__)
        status, cls.hook, errors = cls.server.command("webhook", "create", "--name", "n", "--target", "http://127.0.0.1:9/", "--events", "open",
                                               "--set", "verify=off")
        assert status == 0, errors

    def real(self, text):
        return text.replace("FOLDER", str(self.folder)).replace("RUNNING", str(self.server.spool))

    def base(self, path):
        """What a subcommand needs besides, so that nothing but the argument is wrong: option -> value, positional values."""
        group, _, rest = path.partition(" ")
        options, free = {}, []
        if group in ("webhook", "key", "push"):
            options = {"--url": self.server.address, "--api-key-file": str(self.server.key_file)}
        if group == "spool":
            options = {"--spool-dir": str(self.folder / "stopped")}
        if path == "webhook create":
            options |= {"--name": "n", "--target": "http://127.0.0.1:9/", "--events": "open"}
        elif group == "webhook" and rest != "list":
            free = [self.hook.strip()]
            if rest == "update":
                options["--name"] = "other"
        elif path in ("key create", "key revoke"):
            free = ["some"]
        elif path in ("spool show", "spool export", "spool purge", "spool replay", "spool drop"):
            free = ["some"]
        return options, free

    def command_of(self, path, name, value, further):
        options, free = self.base(path)
        for flag, given in zip(further[::2], further[1::2]):
            options[flag] = given
        if name.startswith("--"):
            options[name] = value
        else:
            free = [value]
        if name == "--api-key":
            options.pop("--api-key-file", None)
        if name in ("--socket", "--spool-dir"):
            options.pop("--url", None)
            options.pop("--api-key-file", None)
        # A value of its own, since an empty one behind = is none.
        given = [word for option in options.items() for word in option]
        return [*path.split(" "), *given, *(["--", *free] if free else [])]

    def assert_refused(self, command, status, culprit):
        with self.subTest(command=command):
            got, output, errors = run(*command, data=EVENT, environment={"HOME": str(self.folder)})
            self.assertEqual(got, status, (output, errors))
            self.assertRegex(errors, r"\Aposthaste: [^\n]+\n\Z")
            self.assertNotRegex(errors, r"\Aposthaste: [A-Z][a-z]")
            self.assertNotIn(".\n", errors)
            self.assertIn(culprit, errors)

    def test_what_says_what_it_takes_refuses_what_is_none_of_it(self):
        seen = 0
        for path, name, takes in arguments():
            values = BAD_VALUES.get(takes, ["nonsense", ""] if "{" in takes else [])
            for value in values:
                self.assert_refused([*path.split(" "), f"{name}={value}"], USAGE, name)
                seen += 1
        self.assertGreater(seen, 200)

    def test_a_flag_takes_no_value(self):
        for path, name, takes in arguments():
            if takes == "" and path and name != "--help":
                self.assert_refused([*path.split(" "), f"{name}=nonsense"], USAGE, name)

    def test_every_other_argument_has_rows_of_bad_values_and_refuses_them(self):
        used = set()
        for path, name, takes in arguments():
            if takes == "" or takes in BAD_VALUES or "{" in takes:
                continue
            rows = rows_of(path, name)
            self.assertIsNotNone(rows, f"{path} {name}: say in ROWS what it may not take")
            used.add(id(rows))
            for value, status, culprit, *further in rows:
                self.assert_refused(self.command_of(path, name, self.real(value), further), status, self.real(culprit))
        self.assertEqual([key for key, rows in ROWS.items() if id(rows) not in used], [], "no longer arguments")


if __name__ == "__main__":
    unittest.main()
