"""The posthaste command as tests drive it; standard library only. POSTHASTE_COMMAND names the program."""

import http.client
import os
import pathlib
import subprocess
import urllib.parse

from waiting import wait_until

COMMAND = os.environ["POSTHASTE_COMMAND"]
WAIT_S = 30


def run(*arguments, data=None, environment=None, timeout=60):
    """Runs it to its end; returns status, output and errors as text."""
    done = subprocess.run([COMMAND, *map(str, arguments)], input=data, capture_output=True, timeout=timeout, check=False,
                          env={**os.environ, **(environment or {})})
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


class Running:
    """The command in the background, its output and errors in files, ended by its id."""

    def __init__(self, folder, name, *arguments, environment=None, stdin=subprocess.DEVNULL):
        self.output_file = pathlib.Path(folder) / f"{name}.out"
        self.errors_file = pathlib.Path(folder) / f"{name}.err"
        with open(self.output_file, "wb") as output, open(self.errors_file, "wb") as errors:
            self.process = subprocess.Popen([COMMAND, *map(str, arguments)], stdin=stdin, stdout=output, stderr=errors,
                                            env={**os.environ, **(environment or {})})

    def output(self):
        return self.output_file.read_text(errors="replace")

    def errors(self):
        return self.errors_file.read_text(errors="replace")

    def line_with(self, text):
        """Waits for a whole line of output with that text and returns it."""

        def find():
            for line in self.output().splitlines(keepends=True):
                if text in line and line.endswith("\n"):
                    return line.strip()
            if self.process.poll() is not None:
                raise AssertionError(f"the command ended: {self.output()}{self.errors()}")
            return None

        return wait_until(find, f"a line with {text}")

    def url(self):
        """What follows `listening on`."""
        return self.line_with("listening on http://").split("listening on ")[1]

    def end(self):
        """Ends it as an administrator would, and returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait()

    def wait(self):
        try:
            return self.process.wait(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def request(url, method="GET", body=None, headers=None, timeout=20):
    """Sends one request; returns status, headers and body."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        target = parts.path or "/"
        connection.request(method, target + ("?" + parts.query if parts.query else ""), body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()
