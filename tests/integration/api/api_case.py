"""What the tests of the REST API share: a host, a client that checks each answer, a scripted receiver.

Everything goes over sockets. Each answer that a test gets is compared with docs/openapi.json on the way. The
environment names the library, POSTHASTE_LIBRARY, the folder of the repository, POSTHASTE_ROOT, and what is tested: with
POSTHASTE_ADMIN_LIBRARY hosts leave HTTP to that library's listener; with POSTHASTE_COMMAND hosts are `posthaste serve`.
"""

import base64
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

from api_contract import Contract
from waiting import wait_until

WAIT_S = 20
# The program whose `serve` is the host.
COMMAND = os.environ.get("POSTHASTE_COMMAND")
# Whether the library's own listener speaks HTTP.
HAS_LISTENER = COMMAND is not None or "POSTHASTE_ADMIN_LIBRARY" in os.environ
# How long hosts wait for an answer, when a test does not say.
ANSWER_WITHIN_MS = 20000
KEY = "key-of-the-tests-0123456789"
KEY_NAME = "key file" if COMMAND else "tests"
FAST = {"webhook.activation_delay": "0s", "batch.max_age": "20ms", "retry.base": "30ms",
        "retry.max": "60ms"}
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
CONTRACT = Contract(pathlib.Path(os.environ["POSTHASTE_ROOT"]) / "docs" / "openapi.json")


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def results(self):
        assert self.status < 300, (self.status, self.body)
        return self.json["results"]

    @property
    def error(self):
        """The one entry of `errors`."""
        errors = self.json["errors"]
        assert isinstance(errors, list) and len(errors) == 1, errors
        return errors[0]


class Client:
    """Talks to one host with one key. A body that is no text or bytes goes as JSON."""

    def __init__(self, url, key=KEY, source=None):
        self.url = url
        self.key = key
        self.address = urllib.parse.urlsplit(url)
        self.source = source
        self.connection = None
        self.is_checked = True

    def call(self, method, target, body=None, key=None, **headers):
        """One request. A header `content_type` is Content-Type; None leaves a default out."""
        sent = {"Content-Type": "application/json" if body is not None else None,
                "Authorization": self.key if key is None else key or None}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        folded = {}
        for name, value in sent.items():
            folded[name.title()] = value
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        for attempt in range(2):
            if self.connection is None:
                self.connection = http.client.HTTPConnection(
                    self.address.hostname, self.address.port, timeout=WAIT_S,
                    source_address=self.source)
            try:
                self.connection.request(method, target, body.encode() if isinstance(body, str) else body,
                                        {n: v for n, v in folded.items() if v is not None})
                response = self.connection.getresponse()
                break
            except (ConnectionError, http.client.RemoteDisconnected):
                self.connection.close()
                self.connection = None
                if attempt:
                    raise
        answer = Answer(response.status, response.headers, response.read())
        if self.is_checked:
            CONTRACT.check(method, target, answer)
        return answer

    def get(self, target, **more):
        return self.call("GET", target, **more)

    def post(self, target, body=None, **more):
        return self.call("POST", target, body, **more)

    def put(self, target, body=None, **more):
        return self.call("PUT", target, body, **more)

    def delete(self, target, **more):
        return self.call("DELETE", target, **more)

    def create(self, **fields):
        """Creates a webhook and returns its id."""
        return self.post("/api/v1/webhooks", fields).results["id"]

    def webhook(self, identifier):
        return self.get(f"/api/v1/webhooks/{identifier}").results

    def push(self, *events, target="/api/v1/events"):
        lines = "".join(json.dumps(event) + "\n" for event in events)
        answer = self.post(target, lines, content_type="application/x-ndjson")
        assert answer.results["accepted"] == len(events), answer.body
        return answer

    def new_key(self, grant, subaccount=None, name="tests"):
        made = self.post("/api/v1/keys", {"name": name, "grant": grant, "subaccount": subaccount})
        return made.results["key"]

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def library_arguments(_folder, settings, options, key, answer_within_ms):
    """A host in Python that loads the library."""
    server = pathlib.Path(__file__).with_name("api_server.py")
    if HAS_LISTENER and not options:
        options = ("--listener",)
    return [sys.executable, "-B", str(server), *options, "--key", key, "--answer-within", str(answer_within_ms),
            *(f"{name}={value}" for name, value in settings.items())]


def serve_arguments(folder, settings, _options, key, answer_within_ms):
    """`posthaste serve`, with the key in a file."""
    key_file = pathlib.Path(folder) / f"keys-{time.monotonic_ns()}"
    key_file.write_text(key + " modify\n")
    key_file.chmod(0o600)
    arguments = [COMMAND, "serve", "--listen", "127.0.0.1:0", "--api-key-file", str(key_file)]
    for name, value in {**settings, "admin.handler.timeout": f"{answer_within_ms}ms"}.items():
        arguments += ["--set", f"{name}={value}"]
    return arguments if "spool.dir" in settings else [*arguments, "--memory"]


class Host:
    """A host of the library in a process of its own."""

    def __init__(self, folder, settings=None, options=(), key=KEY, answer_within_ms=ANSWER_WITHIN_MS):
        self.log = pathlib.Path(folder) / f"host-{time.monotonic_ns()}.log"
        settings = {**FAST, **(settings or {})}
        program = serve_arguments if COMMAND and not options else library_arguments
        environment = dict(os.environ)
        if "POSTHASTE_PRELOAD" in environment and program is library_arguments:
            environment["LD_PRELOAD"] = environment["POSTHASTE_PRELOAD"]  # what a library under a sanitizer needs first
        arguments = program(folder, settings, options, key, answer_within_ms)
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT, env=environment)
        self.url = self.wait_for_address()

    def wait_for_address(self):
        def find():
            text = self.log.read_text(errors="replace")
            found = re.search(r"^listening on (\S+)\n", text, re.MULTILINE)
            if found is None and self.process.poll() is not None:
                raise AssertionError(f"the host ended: {text}")
            return found

        return wait_until(find, "the host's address").group(1)

    def end(self):
        """Ends it as an administrator would; a host that does not end well is a failure."""
        self.process.terminate()
        try:
            code = self.process.wait(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        assert code == 0, (code, self.log.read_text(errors="replace"))

    def kill(self):
        self.process.kill()
        self.process.wait()


class Taken:
    """A request that the receiver got."""

    def __init__(self, path, headers, body):
        self.path = path
        self.headers = headers
        self.body = body
        self.batch_id = headers.get("X-MessageSystems-Batch-ID")

    @property
    def json(self):
        return json.loads(self.body)

    def events(self):
        """(class, event) of each record."""
        return [(name, event) for record in self.json for name, event in record["msys"].items()]


class Receiver:
    """Answers `/200` with 200, `/404` with 404 and so on; a test may script other paths.

    A script is a list of (status, headers, body); its last entry repeats. `drop` instead of an entry closes the
    connection without an answer.
    """

    def __init__(self):
        receiver = self

        class Connection(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                entry = receiver.take(Taken(self.path, self.headers, body))
                if entry == "drop":
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                status, headers, answer = entry
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                self.wfile.flush()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Connection)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.lock = threading.Lock()
        self.taken = []
        self.scripts = {}
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def take(self, request):
        with self.lock:
            self.taken.append(request)
            script = self.scripts.get(request.path)
            if script:
                return script.pop(0) if len(script) > 1 else script[0]
        found = re.match(r"^/(\d\d\d)(/|$)", request.path)
        status = int(found.group(1)) if found else 200
        return status, {"Content-Type": "text/plain"}, b"OK" if status == 200 else b"Not OK"

    def script(self, path, *entries):
        with self.lock:
            self.scripts[path] = [entry if entry == "drop" or isinstance(entry, tuple)
                                  else (entry, {"Content-Type": "text/plain"}, b"said") for entry in entries]
        return self.url + path

    def requests(self, path=None):
        with self.lock:
            return [each for each in self.taken if path is None or each.path == path]

    def events(self, path):
        """Every event that came to a path, pings left out."""
        return [event for request in self.requests(path) for _, event in request.events()]

    def wait_for_events(self, path, count):
        return wait_until(lambda: len(self.events(path)) >= count and self.events(path),
                          f"{count} events at {path}; have {self.events(path)}")

    def end(self):
        self.server.shutdown()
        self.server.server_close()


class ApiTest(unittest.TestCase):
    """One host and one receiver for the tests of a class; `settings` are the host's."""

    settings = {}
    options = ()
    answer_within_ms = ANSWER_WITHIN_MS
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="posthaste-api-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.receiver = Receiver()
        cls.addClassCleanup(cls.receiver.end)
        settings = {name: str(value).replace("FOLDER", str(cls.folder))
                    for name, value in cls.settings.items()}
        cls.host = Host(cls.folder, settings, cls.options, answer_within_ms=cls.answer_within_ms)
        cls.addClassCleanup(cls.host.end)
        cls.api = Client(cls.host.url)
        cls.addClassCleanup(cls.api.close)

    def tearDown(self):
        for webhook in self.api.get("/api/v1/webhooks").results:
            self.api.delete(f"/api/v1/webhooks/{webhook['id']}?queued=drop")

    def client(self, key=KEY, source=None):
        client = Client(self.host.url, key, source)
        self.addCleanup(client.close)
        return client

    def by(self, key):
        """The same host with another key."""
        return self.client(key)

    def path(self):
        """A path of the receiver that only this test uses, answered with 200."""
        return "/200/" + self.id().split(".")[-1]

    def body(self, **fields):
        """What creates a webhook that works, with these fields on top."""
        return {"name": "Example webhook", "target": self.receiver.url + self.path(),
                "events": ["delivery", "injection"], **fields}

    def create(self, **fields):
        return self.api.create(**self.body(**fields))

    def assert_error(self, answer, status, **fields):
        """The answer is this status with exactly this one error."""
        self.assertEqual((answer.status, answer.json), (status, {"errors": [fields]}))


def basic(user, password=""):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
