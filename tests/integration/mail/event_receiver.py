"""A webhook's endpoint for the tests of mail servers: it records the events that come, and fails when told to.

It goes down (nothing listens), comes back on the same port, hangs, or answers with another status. Each batch is
recorded once, however often it came.
"""

import http.server
import json
import threading

from waiting import wait_until


class EventReceiver:
    """Threads: the server has its own; every method may be called from any."""

    def __init__(self):
        self._lock = threading.Lock()
        self._batches = {}
        self._repeated = 0
        self._status = 200
        self._released = threading.Event()
        self._released.set()
        self._server = None
        self._port = 0
        self.come_back()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._port}/"

    def come_back(self):
        """Listens again, on the port of before."""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._released.wait()
                status = receiver._take(self.headers["X-MessageSystems-Batch-ID"], body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                """A client that went away is what some tests are about."""

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def go_down(self):
        """Stops listening; new connections are refused."""
        self._server.shutdown()
        self._server.server_close()

    def hang(self):
        """Takes requests and does not answer, until `release`."""
        self._released.clear()

    def release(self):
        self._released.set()

    def answer(self, status):
        """Answers with that status from now on; only what was answered 200 is recorded."""
        with self._lock:
            self._status = status

    def _take(self, batch_id, body):
        with self._lock:
            if self._status != 200:
                return self._status
            if batch_id in self._batches:
                self._repeated += 1
            elif batch_id is not None:
                self._batches[batch_id] = json.loads(body)
            return 200

    def records(self):
        """`(class, event)` of all batches, as they came."""
        with self._lock:
            batches = list(self._batches.values())
        return [(name, event) for batch in batches for record in batch for name, event in record["msys"].items()]

    def events(self, event_type=None):
        return [event for _, event in self.records() if event_type in (None, event["type"])]

    def repeated_batches(self):
        with self._lock:
            return self._repeated

    def wait_for(self, count, event_type=None, limit_s=60):
        """Returns the events of that type (any, by default) once there are `count`."""
        wait_until(lambda: len(self.events(event_type)) >= count,
                   f"{count} events of type {event_type}", limit_s)
        return self.events(event_type)

    def close(self):
        self.release()
        self.go_down()
