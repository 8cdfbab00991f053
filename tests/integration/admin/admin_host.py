"""posthaste-admin-host as a child process, and plain HTTP talk with it, for the listener's tests.

Standard library only. POSTHASTE_ADMIN_HOST names the program.
"""

import http.client
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile

from waiting import wait_until

WAIT_S = 30


class AdminHost:
    """An engine with its listener. Use as a context; leaving it checks that the host ended well."""

    def __init__(self, conf=None, admin=None, stop_ms=2000, mount=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="posthaste-admin-"))
        arguments = [f"conf:{key}={value}" for key, value in (conf or {}).items()]
        arguments += [f"admin:{key}={value}" for key, value in (admin or {}).items()]
        arguments += [f"mount={mount}"] if mount else []
        arguments.append(f"stop={stop_ms}")
        self.log = self.folder / "log"
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen([os.environ["POSTHASTE_ADMIN_HOST"], *arguments],
                                            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
        self.url = self.line_with("listening on ")
        self.port = int(self.url.rpartition(":")[2])
        self.key = self.line_with("key modify ")
        self.view_key = self.line_with("key view ")

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _trace):
        code = self.end()
        output = self.output()
        shutil.rmtree(self.folder)
        if kind is None and code != 0:
            raise AssertionError(f"the host ended with {code}: {output[-4000:]}")

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(60)
        return self.process.returncode

    def output(self):
        return self.log.read_text(errors="replace")

    def lines_with(self, prefix):
        return [line[len(prefix):] for line in self.output().splitlines() if line.startswith(prefix)]

    def line_with(self, prefix):
        def find():
            found = self.lines_with(prefix)
            if not found and self.process.poll() is not None:
                raise AssertionError(f"the host ended: {self.output()}")
            return found

        return wait_until(find, prefix)[0]

    def memory_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def is_listening(self):
        try:
            self.connect().close()
            return True
        except ConnectionRefusedError:
            return False

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), WAIT_S)

    def ask(self, method, path, body=None, headers=None, key=None):
        """One request on a connection of its own: (status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        return exchange(connection, method, path, body, {"Authorization": key or self.key, **(headers or {})})

    def ask_tls(self, method, path, ca_file):
        context = ssl.create_default_context(cafile=ca_file)
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=WAIT_S, context=context)
        return exchange(connection, method, path, None, {"Authorization": self.key})

    def raw(self, data):
        """Sends bytes and reads until the server closes."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_all(connection)


def exchange(connection, method, path, body, headers):
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def read_all(connection):
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except (ConnectionError, TimeoutError):
        pass
    return b"".join(parts)
