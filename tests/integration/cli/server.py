"""`posthaste serve` for tests, with what they ask it."""

import json
import os
import pathlib

from command import Running, request, run, wait_until


class Server(Running):
    """A running server on a directory, with its first key."""

    def __init__(self, folder, *arguments, name="serve", spool="spool", environment=None, stdin=None, keyed=True):
        self.folder = pathlib.Path(folder)
        self.spool = self.folder / spool
        where = ["--spool-dir", str(self.spool)] if spool and "--memory" not in arguments else []
        options = {} if stdin is None else {"stdin": stdin}
        super().__init__(folder, name, "serve", "--listen", "127.0.0.1:0", "--set", "webhook.activation_delay=0s", *where,
                         *arguments, environment=environment, **options)
        self.key_file = self.spool / "first-api-key"
        self.address = self.url()
        self.key = self.key_file.read_text().strip() if keyed and self.key_file.exists() else ""

    def api(self, method, path, body=None, headers=None):
        """Asks the REST API; returns the status and what the body holds."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        status, _, text = request(self.address + path, method, data, {"Authorization": self.key, **(headers or {})})
        return status, json.loads(text) if text else None

    def command(self, *arguments, data=None, environment=None):
        """Runs a subcommand against it."""
        return run(*arguments, "--url", self.address, "--api-key-file", str(self.key_file), data=data,
                   environment=environment)

    def stats(self):
        return self.api("GET", "/api/v1/stats")[1]["results"]


def events(first, count):
    """So many lines, each event with its number as its id."""
    return b"".join(b'{"type":"delivery","event_id":"%d","rcpt_to":"a@b.test"}\n' % number
                    for number in range(first, first + count))
