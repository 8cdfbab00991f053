#!/usr/bin/env python3
"""The HTTP listener over real sockets: what it refuses, its limits, TLS, compression, stopping."""

import gzip
import http.server
import json
import os
import select
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from admin_host import AdminHost, read_all, wait_until

JSON = {"Content-Type": "application/json"}


def errors(body):
    return json.loads(body)["errors"]


def request(method, path, headers, body=b""):
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode() + body


class HeldReceiver:
    """Answers POSTs when it is told to, and knows how many came."""

    def __init__(self):
        self.count = 0
        self.may_answer = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    receiver.count += 1
                receiver.may_answer.wait()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments):
                pass

        self.lock = threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.wish = json.dumps({"name": "held", "target": f"http://127.0.0.1:{self.server.server_address[1]}/hook", "events": ["delivery"]})
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.may_answer.set()
        self.server.shutdown()
        self.server.server_close()

    def wait_for(self, count):
        wait_until(lambda: self.count == count, f"{count} calls at the receiver")


def has_ended(connection):
    """Whether the other side has closed it."""
    if not select.select([connection], [], [], 0)[0]:
        return False
    try:
        return connection.recv(65536) == b""
    except ConnectionError:
        return True


class Mounts(unittest.TestCase):
    def test_what_is_mounted_gets_requests_as_they_came_from_everybody(self):
        with AdminHost(mount="/mounted/", admin={"handler.timeout": "3s"}) as host:
            foreign = {"Host": "links.example", "Origin": "null", "Authorization": "wrong"}
            status, headers, body = host.ask("GET", "/mounted/a/b?c=d", headers=foreign)
            self.assertEqual((status, body), (200, b"GET a/b?c=d 127.0.0.1 links.example 0 3000 1"))
            self.assertEqual(headers["X-Asked"], body.decode())
            self.assertNotIn("Access-Control-Allow-Origin", headers)
            status, headers, body = host.ask("HEAD", "/mounted/a", headers=foreign)
            self.assertEqual((status, headers["X-Asked"], body),
                             (200, "HEAD a 127.0.0.1 links.example 0 3000 1", b""))
            for method, size in (("POST", 5), ("PUT", 5), ("OPTIONS", 0)):
                body = host.ask(method, "/mounted/x", "x" * size, foreign)[2]
                self.assertEqual(body.decode(), f"{method} x 127.0.0.1 links.example {size} 3000 1")
            self.assertEqual(host.ask("POST", "/mounted/x", "x" * ((1 << 20) + 1))[0], 413)
            for path in ("nothing", "error"):
                self.assertEqual(host.ask("GET", "/mounted/" + path)[0], 500)

    def test_what_is_not_mounted_is_judged_as_before(self):
        with AdminHost(mount="/mounted/") as host:
            for path in ("/mounted", "/mountedx/", "/api/v1/webhooks", "/", "/./mounted/x"):
                self.assertEqual(host.ask("GET", path, headers={"Host": "links.example"})[0], 403, path)
            self.assertEqual(host.ask("GET", "/mounted")[0], 404)
            self.assertEqual(host.ask("GET", "/api/v1/webhooks")[0], 200)

    def test_the_log_has_the_prefix_of_a_mounted_path_alone(self):
        with AdminHost(mount="/mounted/", conf={"log.level": "debug"}) as host:
            for path in ("secret-1?x=secret-2", "error"):
                host.ask("GET", "/mounted/" + path)
            wait_until(lambda: "GET /mounted/... 500" in host.output(), "the line of the second request")
            self.assertIn("GET /mounted/... 200", host.output())
            self.assertNotIn("secret-", host.output())


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = AdminHost(admin={"hosts": "mail.example.com,other.example:8443", "origins": "https://console.example",
                                    "body.max_bytes": "64KiB", "headers.max_bytes": "4KiB", "events.max_bytes": "256KiB", "request.timeout": "2s", "idle.timeout": "2s"})

    @classmethod
    def tearDownClass(cls):
        cls.host.__exit__(None, None, None)

    def test_a_host_that_is_not_ours_is_refused(self):
        for name in ("evil.example", f"evil.example:{self.host.port}", "127.0.0.2", "localhost.evil.example", "other.example",
                     "other.example:1", "[::1", "", "localhost:80x", "169.254.169.254"):
            status, _, body = self.host.ask("GET", "/api/v1/webhooks", headers={"Host": name})
            self.assertEqual(status, 403, name)
            self.assertIn("Host header", errors(body)[0]["description"], name)
            self.assertEqual(self.host.ask("GET", "/", headers={"Host": name})[0], 403, name)
            self.assertEqual(self.host.ask("GET", "/health", headers={"Host": name})[0], 403, name)

    def test_hosts_that_are_ours_pass(self):
        for name in (f"127.0.0.1:{self.host.port}", "localhost", f"LocalHost:{self.host.port}", "[::1]:9", "mail.example.com",
                     "mail.example.com:8080", "other.example:8443"):
            self.assertEqual(self.host.ask("GET", "/api/v1/webhooks", headers={"Host": name})[0], 200, name)

    def test_a_request_without_a_host_is_refused(self):
        self.assertIn(b" 403 ", self.host.raw(b"GET /api/v1/webhooks HTTP/1.0\r\n\r\n"))
        self.assertIn(b" 400 ", self.host.raw(b"GET /api/v1/webhooks HTTP/1.1\r\n\r\n"))

    def test_an_origin_that_is_not_ours_is_refused(self):
        for origin in ("http://evil.example", "null", f"http://localhost:{self.host.port}", "http://127.0.0.1",
                       f"http://127.0.0.1:{self.host.port + 1}", "file://", "https://console.example.evil"):
            for method in ("GET", "POST", "DELETE", "OPTIONS"):
                status, headers, body = self.host.ask(method, "/api/v1/webhooks", headers={"Origin": origin})
                self.assertEqual(status, 403, origin)
                self.assertIn("Origin header", errors(body)[0]["description"])
                self.assertNotIn("Access-Control-Allow-Origin", headers)

    def test_origins_that_are_ours_pass(self):
        own = f"http://127.0.0.1:{self.host.port}"
        status, headers, _ = self.host.ask("GET", "/api/v1/webhooks", headers={"Origin": own})
        self.assertEqual(status, 200)
        self.assertNotIn("Access-Control-Allow-Origin", headers)
        listed = {"Origin": "https://console.example"}
        status, headers, _ = self.host.ask("GET", "/api/v1/webhooks", headers=listed)
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (200, "https://console.example"))
        status, headers, _ = self.host.ask("OPTIONS", "/api/v1/webhooks", headers=listed)
        self.assertEqual(status, 204)
        self.assertIn("Authorization", headers["Access-Control-Allow-Headers"])

    def test_what_is_too_large_is_told_so(self):
        big = json.dumps({"name": "x" * 70000})
        status, _, body = self.host.ask("POST", "/api/v1/webhooks", big)
        self.assertEqual(status, 413)
        self.assertIn("65536", errors(body)[0]["description"])
        status, _, body = self.host.ask("GET", "/api/v1/webhooks", headers={"X-Long": "x" * 5000})
        self.assertEqual(status, 431)
        self.assertIn("4096", errors(body)[0]["description"])
        head = [("Host", "localhost"), ("X-Long", "x" * 100000)]
        self.assertRegex(self.host.raw(request("GET", "/", head)), rb"HTTP/1\.1 4(31|14|13)")

    def test_a_chunked_body_that_is_too_large_is_told_so(self):
        head = [("Host", "localhost"), ("Authorization", self.host.key), ("Content-Type", "application/json"),
                ("Transfer-Encoding", "chunked"), ("Connection", "close")]
        chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
        self.assertIn(b"HTTP/1.1 413 ", self.host.raw(request("POST", "/api/v1/webhooks", head, chunk * 5 + b"0\r\n\r\n")))

    def test_a_client_that_asks_first_is_refused_before_it_sends(self):
        head = [("Host", "localhost"), ("Content-Length", "9000000000"), ("Expect", "100-continue")]
        self.assertIn(b"HTTP/1.1 413 ", self.host.raw(request("POST", "/api/v1/webhooks", head)))

    def test_events_may_have_larger_bodies(self):
        line = json.dumps({"type": "delivery", "rcpt_to": "a@b.example", "pad": "x" * 1000}) + "\n"
        status, _, body = self.host.ask("POST", "/api/v1/events", line * 200, {"Content-Type": "application/x-ndjson"})
        self.assertEqual((status, json.loads(body)["results"]["accepted"]), (200, 200))
        self.assertEqual(self.host.ask("POST", "/api/v1/events", line * 300)[0], 413)

    def test_malformed_requests_harm_nobody(self):
        for data in (b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
                     b"POST /api/v1/webhooks HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
                     b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                     b"GET " + b"/x" * 40000 + b" HTTP/1.1\r\n\r\n",
                     b"BREW / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                     b"GET /assets/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"):
            with self.host.connect() as connection:
                connection.sendall(data)
                self.assertNotIn(b"HTTP/1.1 200", read_all(connection), data[:40])
        self.assertEqual(self.host.ask("GET", "/api/v1/webhooks")[0], 200)

    def test_the_log_has_a_line_for_each_and_no_secret(self):
        self.host.ask("GET", "/api/v1/webhooks/no-such?secret=hush", headers={"X-Token": "quiet"})
        wait_until(lambda: "GET /api/v1/webhooks/no-such 404" in self.host.output(), "the line")
        lines = [line for line in self.host.output().splitlines() if line.startswith("log ")]
        self.assertIn("http: 127.0.0.1 GET /api/v1/webhooks/no-such 404", "\n".join(lines))
        for secret in ("hush", "quiet", self.host.key, self.host.view_key):
            self.assertNotIn(secret, "\n".join(lines))


class Page(unittest.TestCase):
    def test_the_page_is_served_with_a_strict_policy(self):
        with AdminHost() as host:
            status, headers, body = host.ask("GET", "/", key="none")
            self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
            self.assertIn("frame-ancestors 'none'", headers["Content-Security-Policy"])
            self.assertNotIn("unsafe", headers["Content-Security-Policy"])
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")
            self.assertNotIn(b"http://", body)
            self.assertNotIn(b"style=", body)
            status, again, nothing = host.ask("GET", "/", headers={"If-None-Match": headers["ETag"]})
            self.assertEqual((status, nothing), (304, b""))
            status, packed, data = host.ask("GET", "/assets/app.js", headers={"Accept-Encoding": "gzip"})
            self.assertEqual((status, packed["Content-Encoding"]), (200, "gzip"))
            self.assertEqual(gzip.decompress(data), host.ask("GET", "/assets/app.js")[2])
            self.assertEqual(host.ask("HEAD", "/assets/app.js")[2], b"")
            self.assertEqual(host.ask("POST", "/", "x")[0], 405)
            self.assertEqual(host.ask("GET", "/assets/no.js")[0], 404)

    def test_without_the_page_the_api_is_served(self):
        with AdminHost(admin={"page": "off"}) as host:
            self.assertEqual(host.ask("GET", "/")[0], 404)
            self.assertEqual(host.ask("GET", "/api/v1/webhooks")[0], 200)


class Service(unittest.TestCase):
    def test_large_answers_are_compressed_for_who_wants_it(self):
        with AdminHost() as host:
            path = "/api/v1/webhooks/events/documentation"
            plain = host.ask("GET", path)
            for accepted in ("gzip", "br, GZip;q=0.5", "deflate, gzip"):
                status, headers, body = host.ask("GET", path, headers={"Accept-Encoding": accepted})
                self.assertEqual((status, headers["Content-Encoding"]), (200, "gzip"), accepted)
                self.assertEqual(gzip.decompress(body), plain[2])
                self.assertLess(len(body), len(plain[2]) / 3)
            for refused in ("br", "gzip;q=0", "gzip;q=0.0", "gzipped"):
                self.assertNotIn("Content-Encoding", host.ask("GET", path, headers={"Accept-Encoding": refused})[1], refused)
            self.assertEqual(host.ask("HEAD", path)[0], 200)

    def test_calls_that_wait_for_receivers_hold_up_nobody(self):
        with HeldReceiver() as receiver, AdminHost(conf={"request.timeout": "60s"},
                                                   admin={"threads.waiting": "4", "queue.max": "4"}) as host:
            answers = []
            threads = [threading.Thread(target=lambda: answers.append(host.ask("POST", "/api/v1/webhooks", receiver.wish, JSON)))
                       for _ in range(12)]
            for thread in threads:
                thread.start()
            # Four at work and four in the queue; the others are told to come back.
            receiver.wait_for(4)
            wait_until(lambda: len(answers) == 4, "the answers to those that have no place")
            self.assertEqual([(status, headers["Retry-After"]) for status, headers, _ in answers], [(503, "1")] * 4)
            took = []
            for _ in range(20):
                start = time.monotonic()
                self.assertEqual(host.ask("GET", "/api/v1/webhooks")[0], 200)
                took.append(time.monotonic() - start)
            self.assertLess(sorted(took)[10], 0.5)
            self.assertEqual(len(answers), 4)
            receiver.may_answer.set()
            for thread in threads:
                thread.join()
            self.assertEqual([status for status, _, _ in answers[4:]], [200] * 8)

    def test_slow_clients_are_cut(self):
        with AdminHost(admin={"request.timeout": "1s", "idle.timeout": "1500ms"}) as host:
            start = time.monotonic()
            self.assertEqual(host.raw(b"GET / HTTP/1.1\r\nHost: local"), b"")
            self.assertGreater(time.monotonic() - start, 0.9)
            head = [("Host", "localhost"), ("Content-Length", "1000"), ("Authorization", host.key)]
            self.assertEqual(host.raw(request("POST", "/api/v1/webhooks", head, b"{")), b"")
            start = time.monotonic()
            kept = host.raw(request("GET", "/health", [("Host", "localhost")]))
            self.assertIn(b"HTTP/1.1 200", kept)
            self.assertGreater(time.monotonic() - start, 1.4)

    def test_a_full_table_takes_newcomers_and_cuts_the_least_complete(self):
        with AdminHost(admin={"connections.max": "20", "connections.max_per_address": "10"}) as host:
            slow = [host.connect() for _ in range(10)]
            for connection in slow:
                connection.sendall(b"GET / HTTP/1.1\r\n")
            # It is accepted after them.
            self.assertEqual(host.ask("GET", "/api/v1/webhooks")[0], 200)
            # The oldest gave way, the others did not.
            slow[0].settimeout(5)
            self.assertEqual(slow[0].recv(1), b"")
            slow[9].sendall(b"Host: localhost\r\nConnection: close\r\n\r\n")
            self.assertIn(b"HTTP/1.1 200", read_all(slow[9]))
            for connection in slow:
                connection.close()

    def test_bodies_together_are_bounded(self):
        with AdminHost(admin={"bodies.max_bytes": "1MiB", "body.max_bytes": "1MiB"}) as host:
            head = [("Host", "localhost"), ("Authorization", host.key), ("Content-Type", "application/json"), ("Content-Length", "900000")]
            held = host.connect()
            held.sendall(request("POST", "/api/v1/webhooks", head, b"x" * 800000))
            wish = b'{"pad":"' + b"y" * 600000 + b'"}'

            def ask():
                self.assertEqual(host.ask("POST", "/api/v1/webhooks", wish, JSON)[0], 422)
                return has_ended(held)

            # The first may come before all of what is held was read.
            wait_until(ask, "the end of the oldest")
            held.close()

    def test_stopping_answers_what_is_complete_and_ends_in_time(self):
        with HeldReceiver() as receiver, AdminHost(conf={"request.timeout": "60s"}, stop_ms=20000) as host:
            idle = host.connect()
            answers = []
            asking = threading.Thread(target=lambda: answers.append(host.ask("POST", "/api/v1/webhooks", receiver.wish, JSON)))
            asking.start()
            receiver.wait_for(1)
            ending = threading.Thread(target=host.end)
            ending.start()
            wait_until(lambda: not host.is_listening(), "the port's end")
            wait_until(lambda: has_ended(idle), "the end of the idle connection")
            self.assertEqual(answers, [])
            receiver.may_answer.set()
            asking.join()
            ending.join()
            self.assertEqual([status for status, _, _ in answers], [200])
            self.assertEqual((host.end(), host.lines_with("stopped ")), (0, ["0"]))
            idle.close()

    def test_stopping_cuts_what_takes_too_long(self):
        with HeldReceiver() as receiver, AdminHost(conf={"request.timeout": "60s"}, stop_ms=300) as host:
            head = [("Host", "localhost"), ("Authorization", host.key), ("Content-Type", "application/json"),
                    ("Content-Length", str(len(receiver.wish)))]
            waiting = host.connect()
            waiting.sendall(request("POST", "/api/v1/webhooks", head, receiver.wish.encode()))
            receiver.wait_for(1)
            self.assertEqual(host.end(), 0)
            self.assertEqual(host.lines_with("stopped "), ["5"])
            self.assertEqual(read_all(waiting), b"")
            waiting.close()

    def test_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            receiver = subprocess.Popen([os.environ["POSTHASTE_RECEIVER"], "--tls", "--certificates", folder, "--port-file", f"{folder}/port"],
                                        stdout=subprocess.DEVNULL)
            wait_until(lambda: os.path.exists(f"{folder}/port"), "the certificates")
            receiver.terminate()
            receiver.wait()
            files = {"tls.certificate": f"{folder}/server.pem", "tls.key": f"{folder}/server.key"}
            with AdminHost(admin=files) as host:
                self.assertTrue(host.url.startswith("https://"))
                status, _, body = host.ask_tls("GET", "/api/v1/webhooks", f"{folder}/ca.pem")
                self.assertEqual((status, json.loads(body)["results"]), (200, []))
                self.assertEqual(host.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")[:4] == b"HTTP", False)

    def test_bad_configuration_is_one_clear_line(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for arguments, text in ((["admin:listen=nowhere:80"], "listen: \"nowhere:80\" is not ADDRESS:PORT"),
                                    (["admin:listen=127.0.0.1:99999"], "listen:"),
                                    ([f"admin:listen=127.0.0.1:{port}"], f"listen: 127.0.0.1 port {port}: bind: Address already in use"),
                                    (["admin:no.such=1"], "no.such"), (["admin:queue.max=0"], "queue.max: \"0\" is not 1 to 10000"),
                                    (["admin:tls.key=/x"], "tls.certificate: a certificate and its key come together"),
                                    (["admin:tls.key=/none", "admin:tls.certificate=/none"], "tls.certificate: cannot read /none")):
                result = subprocess.run([os.environ["POSTHASTE_ADMIN_HOST"], *arguments], capture_output=True, text=True,
                                        stdin=subprocess.DEVNULL, timeout=60, check=False)
                self.assertEqual(result.returncode, 1, arguments)
                self.assertIn(text, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
