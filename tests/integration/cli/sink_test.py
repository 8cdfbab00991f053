"""`posthaste sink`: what it prints, checks, counts, and how it misbehaves."""

import base64
import gzip
import hashlib
import hmac
import http.client
import json
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse

from command import Running, request, run

BATCH = json.dumps([{"msys": {"message_event": {"type": "delivery", "rcpt_to": "a@b.test"}}},
                    {"msys": {"track_event": {"type": "open", "rcpt_to": "\x1b[2Jc@d.test"}}}]).encode()
SECRET_BYTES = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(SECRET_BYTES).decode()
# RFC 8032 section 7.1, the key of test 1.
ED25519_PRIVATE = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
ED25519_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


def signed(body, now=None, secret=SECRET_BYTES):
    """The three headers of scheme v1."""
    stamp = str(int(time.time() if now is None else now))
    digest = hmac.new(secret, b"msg_1." + stamp.encode() + b"." + body, hashlib.sha256).digest()
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp,
            "webhook-signature": "v1,AAAA v1," + base64.b64encode(digest).decode()}


class Sink(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, *arguments):
        sink = Running(self.folder, "sink", "sink", "--listen", "127.0.0.1:0", *arguments)
        self.addCleanup(sink.__exit__)
        return sink

    def start_json(self, *arguments):
        sink = self.start("--json", *arguments)
        return sink, json.loads(sink.line_with("listening"))["listening"]

    def lines(self, sink):
        """What a sink with --json printed, after its end."""
        self.assertEqual(sink.end(), 0)
        rows = [json.loads(line) for line in sink.output().splitlines()]
        return rows[1:-1], rows[-1]["summary"]

    def test_batches_are_printed_readably_and_steer_no_terminal(self):
        sink = self.start()
        status, _, _ = request(sink.url() + "/hook", "POST", BATCH, {"X-MessageSystems-Batch-ID": "b-1", "X-Mine": "seen"})
        self.assertEqual(status, 200)
        self.assertEqual(sink.end(), 0)
        output = sink.output()
        for text in ("POST /hook from 127.0.0.1:", "-> 200", "X-Mine: seen", "2 events: delivery 1, open 1", "a@b.test",
                     "1 requests, 1 accepted with 2 events: delivery 1, open 1"):
            self.assertIn(text, output)
        self.assertNotIn("\x1b", output)

    def test_duplicates_are_counted_by_batch_id_and_repetitions_apart(self):
        sink, url = self.start_json("--fail", "503:first=1")
        answers = [request(url, "POST", BATCH, {"X-MessageSystems-Batch-ID": "b-1"})[0] for _ in range(3)]
        self.assertEqual(answers, [503, 200, 200])
        rows, summary = self.lines(sink)
        self.assertEqual([row["duplicate"] for row in rows], [False, False, True])
        self.assertEqual([row["repetition_of"] for row in rows], [0, 1, 1])
        self.assertEqual([summary[key] for key in ("requests", "accepted", "events", "batches", "repeated", "duplicates", "duplicate_events")],
                         [3, 2, 2, 1, 2, 1, 2])

    def test_bodies_in_gzip_and_zstd_are_decoded(self):
        sink, url = self.start_json()
        packed = {"gzip": gzip.compress(BATCH)}
        if shutil.which("zstd"):
            packed["zstd"] = subprocess.run(["zstd", "-c"], input=BATCH, capture_output=True, check=True).stdout
        for coding, body in packed.items():
            self.assertEqual(request(url, "POST", body, {"Content-Encoding": coding})[0], 200)
            self.assertEqual(request(url, "POST", body[:-5], {"Content-Encoding": coding})[0], 400)
        self.assertEqual(request(url, "POST", BATCH, {"Content-Encoding": "br"})[0], 415)
        rows, summary = self.lines(sink)
        self.assertEqual(summary["bad_bodies"], len(packed) + 1)
        self.assertTrue(all(row["body_bytes"] == len(BATCH) for row in rows if row["accepted"]))

    def test_signatures_of_scheme_v1_are_verified(self):
        sink, url = self.start_json("--secret", SECRET)
        wrong = {**signed(BATCH), "webhook-id": "msg_2"}
        cases = [(signed(BATCH), 200, "valid"), (signed(BATCH, time.time() - 400), 401, "stale"),
                 (signed(BATCH, secret=b"x" * 32), 401, "wrong"), (wrong, 401, "wrong"), ({}, 401, "missing")]
        for headers, expected, _ in cases:
            self.assertEqual(request(url, "POST", BATCH, headers)[0], expected)
        rows, summary = self.lines(sink)
        self.assertEqual([row["signature"] for row in rows], [case[2] for case in cases])
        self.assertEqual(summary["bad_signatures"], 4)

    def test_signatures_of_scheme_v1a_are_verified(self):
        stamp = str(int(time.time()))
        text = f"{self.folder}/text"
        with open(text, "wb") as file:
            file.write(b"msg_1." + stamp.encode() + b"." + BATCH)
        key = f"{self.folder}/key.der"
        with open(key, "wb") as file:
            file.write(bytes.fromhex("302e020100300506032b657004220420") + ED25519_PRIVATE)
        signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-keyform", "DER", "-in", text],
                                   capture_output=True, check=True).stdout
        sink, url = self.start_json("--secret", "whpk_" + base64.b64encode(ED25519_PUBLIC).decode())
        headers = {"webhook-id": "msg_1", "webhook-timestamp": stamp,
                   "webhook-signature": "v1a," + base64.b64encode(signature).decode()}
        self.assertEqual(request(url, "POST", BATCH, headers)[0], 200)
        self.assertEqual(request(url, "POST", BATCH + b" ", headers)[0], 401)
        self.assertEqual([row["signature"] for row in self.lines(sink)[0]], ["valid", "wrong"])

    def test_a_wrong_token_is_answered_401(self):
        sink, url = self.start_json("--token", "right", "--token-header", "X-Token")
        answers = [request(url, "POST", BATCH, headers)[0] for headers in ({"X-Token": "right"}, {"X-Token": "wrong"}, {})]
        self.assertEqual(answers, [200, 401, 401])
        self.assertEqual([row["token"] for row in self.lines(sink)[0]], ["ok", "wrong", "missing"])

    def test_rules_decide_in_their_order(self):
        sink, url = self.start_json("--fail", f"413:over={len(BATCH)}B", "--fail", "503:every=2,retry-after=30")
        first = request(url, "POST", BATCH)
        second = request(url, "POST", BATCH)
        self.assertEqual((first[0], second[0], second[1]["Retry-After"]), (200, 503, "30"))
        self.assertEqual(request(url, "POST", BATCH + b" ")[0], 413)
        self.assertEqual(self.lines(sink)[1]["answers"], {"200": 1, "413": 1, "503": 1})

    def test_a_reset_and_a_time_out_are_what_the_sender_sees(self):
        sink, url = self.start_json("--fail", "reset:first=1", "--fail", "timeout:first=2", "--fail", "timeout:for=50ms")
        with self.assertRaises((ConnectionResetError, http.client.RemoteDisconnected)):
            request(url, "POST", BATCH)
        with self.assertRaises(TimeoutError):
            request(url, "POST", BATCH, timeout=0.5)
        self.assertEqual(request(url, "POST", BATCH)[0], 200)
        rows, summary = self.lines(sink)
        self.assertEqual([row["answer"] for row in rows], ["reset", "timeout", "200"])
        self.assertEqual(summary["accepted"], 1)

    def test_a_sender_that_waits_does_not_hold_up_the_end(self):
        sink, url = self.start_json("--fail", "timeout")
        parts = urllib.parse.urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port)) as waiting:
            waiting.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]")
            sink.line_with('"answer":"timeout"')
            self.assertEqual(self.lines(sink)[1]["requests"], 1)

    def test_the_test_request_and_what_is_no_batch_are_told_apart(self):
        sink, url = self.start_json()
        answers = [request(url, "POST", body)[0] for body in (b'[{"msys":{}}]', b"{}", b"[1]", b"\xff", b"")]
        self.assertEqual(answers, [200, 400, 400, 400, 400])
        self.assertEqual(request(url, "GET")[0], 405)
        rows, summary = self.lines(sink)
        self.assertEqual([row["test"] for row in rows], [True] + 5 * [False])
        self.assertEqual((summary["events"], summary["bad_bodies"]), (0, 4))

    def test_quiet_prints_the_summary_only(self):
        sink = self.start("--quiet")
        request(sink.url(), "POST", BATCH)
        self.assertEqual(sink.end(), 0)
        self.assertEqual(len(sink.output().splitlines()), 4)

    def test_a_port_that_is_taken_is_a_failure(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            status, _, errors = run("sink", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
        self.assertEqual(status, 1)
        self.assertRegex(errors, r"\Aposthaste: cannot listen on 127.0.0.1 port \d+: [^\n]+\n\Z")


if __name__ == "__main__":
    unittest.main()
