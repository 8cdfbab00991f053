"""The test receiver, mini_mta and raw SMTP and HTTP talk for the tests of the example hosts.

Used by mini_mta_test.py, mini_mta_hostile_test.py and quickstart_test.py; standard library only. Programs are named
by the environment: POSTHASTE_RECEIVER, POSTHASTE_MINI_MTA, POSTHASTE_QUICKSTART.
"""

import email
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest

from waiting import wait_until

WAIT_S = 20


class Program:
    """A child process with its output in a file, ended by its id."""

    def __init__(self, arguments, log):
        self.log = pathlib.Path(log)
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT)

    def output(self):
        return self.log.read_text(errors="replace")

    def line_with(self, prefix):
        """Waits for a whole line of output and returns what follows the prefix."""

        def find():
            for line in self.output().splitlines(keepends=True):
                if line.startswith(prefix) and line.endswith("\n"):
                    return line[len(prefix):].strip()
            if self.process.poll() is not None:
                raise AssertionError(f"the program ended: {self.output()}")
            return None

        return wait_until(find, f"a line {prefix}")

    def end(self):
        """Ends it as an administrator would, and returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Receiver(Program):
    """posthaste-receiver, with every request on record."""

    def __init__(self, folder, *options):
        self.record = pathlib.Path(folder) / "record.ndjson"
        super().__init__([os.environ["POSTHASTE_RECEIVER"], "--record", str(self.record), *options],
                         pathlib.Path(folder) / "receiver.log")
        self.url = f"http://{self.line_with('listening ').removeprefix('http://')}"

    def requests(self):
        if not self.record.exists():
            return []
        # Not splitlines, which breaks at U+2028 and the like too; behind the last line feed stands half a line, if any.
        return [json.loads(line) for line in self.record.read_text().split("\n")[:-1]]

    def events(self):
        """All events that arrived, in order, each with its class as `class`."""
        found = []
        for request in self.requests():
            for record in json.loads(request["body"]):
                for name, event in record["msys"].items():
                    found.append({**event, "class": name})
        return found

    def wait_for(self, count, **fields):
        """Waits for at least `count` events with these field values; returns all of them."""

        def find():
            found = [event for event in self.events()
                     if all(event.get(key) == value for key, value in fields.items())]
            return found if len(found) >= count else None

        return wait_until(find, f"{count} events with {fields}; have {self.events()}")


class Smtp:
    """A raw SMTP client: nothing is checked, encoded or stuffed behind the test's back."""

    def __init__(self, port, greet=True):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self.file = self.socket.makefile("rb")
        if greet:
            assert self.reply()[0] == 220
            self.command("EHLO client.test")

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def reply(self):
        """Returns the code and the text of one reply; code 0 when the server closed."""
        text = []
        while True:
            line = self.file.readline()
            if not line:
                return 0, ""
            text.append(line[4:].decode().strip())
            if line[3:4] != b"-":
                return int(line[:3]), "\n".join(text)

    def command(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def mail(self, recipients, data, sender="News@Shop.Test"):
        """Sends one message; data must be stuffed already. Returns the reply to the text."""
        assert self.command(f"MAIL FROM:<{sender}>")[0] == 250
        for recipient in recipients:
            code, text = self.command(f"RCPT TO:<{recipient}>")
            assert code == 250, text
        assert self.command("DATA")[0] == 354
        self.send(data + b".\r\n")
        return self.reply()

    def close(self):
        self.file.close()
        self.socket.close()


def accepted_id(reply):
    """Returns the message id of an acceptance."""
    code, text = reply
    assert code == 250, reply
    return text.split()[-1]


class HostTest(unittest.TestCase):
    """A receiver and a mini_mta for each test, in a folder of their own. Ends with exit status 0 or fails."""

    def more_options(self):
        """Options of mini_mta besides those that every test has; called once the receiver stands."""
        return []

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="posthaste-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.receiver = Receiver(self.folder)
        self.addCleanup(self.receiver.end)
        self.maildir = self.folder / "mail"
        self.start_host()
        self.addCleanup(self.end_host)

    def start_host(self):
        wrapper = os.environ.get("POSTHASTE_WRAPPER", "").split()
        self.host = Program(
            wrapper + [os.environ["POSTHASTE_MINI_MTA"], "--maildir", str(self.maildir), "--users",
                       "alice,bob", "--domain", "example.test", "--target",
                       self.receiver.url + "/hook", "--token", "secret-token", "--batch-age",
                       "100ms", "--retry-delay", "100", "--verbose"] + self.more_options(),
            self.folder / "mini_mta.log")
        self.smtp_port = int(self.host.line_with("smtp 127.0.0.1:"))
        self.http_port = int(self.host.line_with("http 127.0.0.1:"))

    def end_host(self):
        code = self.host.end()
        self.assertEqual(code, 0, self.host.output())

    def connect(self, greet=True):
        client = Smtp(self.smtp_port, greet)
        self.addCleanup(client.close)
        return client

    def delivered(self, user, count=1):
        """Waits for messages in a Maildir; returns them parsed, the oldest first."""
        folder = self.maildir / user / "new"
        files = wait_until(lambda: len(list(folder.iterdir())) >= count and list(folder.iterdir()),
                           f"{count} messages of {user}")
        ordered = sorted(files, key=lambda path: int(path.name.split("Q")[1].split(".")[0]))
        return [email.message_from_bytes(path.read_bytes()) for path in ordered]

    def fetch(self, path, method="GET", headers=None, body=None):
        """One HTTP request to the tracking server. Returns status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=WAIT_S)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        return response.status, response.headers, answer

    def raw_http(self, data):
        """Sends bytes to the tracking server and returns all it answers."""
        with socket.create_connection(("127.0.0.1", self.http_port), timeout=WAIT_S) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := client.recv(65536):
                answer += chunk
            return answer
