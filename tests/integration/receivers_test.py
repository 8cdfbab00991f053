"""The receivers of examples/receivers against the engine: refusals, codings, time-outs and duplicates.

Usage: receivers_test.py [unittest arguments]
"""

import base64
import gzip
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "receivers"
COMMAND = os.environ["POSTHASTE_COMMAND"]
SECRET = "whsec_" + base64.b64encode(b"a secret that the two of them share").decode()
KEY = "a-key-of-this-test-only-0123456789"
SETTINGS = {"batch.max_age": "100ms", "request.timeout": "500ms", "retry.base": "100ms", "retry.max": "200ms"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """A process whose output is read line by line."""

    def __init__(self, case, *command):
        self.lines = []
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, cwd=case.folder)
        case.addCleanup(self.end)
        self._reader = threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")))
        self._reader.start()

    def end(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()

    def port(self):
        line = wait_until(lambda: next((line for line in self.lines if "listening on" in line), None), "the port")
        return int(re.search(r"(\d+)\s*$", line)[1])

    def count(self, text):
        return sum(text in line for line in self.lines)


class AnswerEater:
    """A proxy that lets requests through and keeps the answers to the first of them to itself."""

    def __init__(self, case, port, eaten_count):
        self.requests_count = 0
        self._sockets = []
        case.addCleanup(lambda: [one.close() for one in self._sockets])
        self._to, self._left = port, eaten_count
        self._listener = socket.create_server(("127.0.0.1", 0))
        case.addCleanup(self._listener.close)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                client, _ = self._listener.accept()
                is_eaten, self._left = self._left > 0, self._left - 1
                self.requests_count += 1
                server = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [client, server]
                threading.Thread(target=self._pass, args=(server, None if is_eaten else client), daemon=True).start()
                threading.Thread(target=self._pass, args=(client, server), daemon=True).start()
        except OSError:
            return  # closed

    @staticmethod
    def _pass(source, target):
        try:
            while piece := source.recv(65536):
                if target:
                    target.sendall(piece)
            if target:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            return


class Tests:
    """For each language; `runner` starts a receiver."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="posthaste-receivers-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start_receiver(self, *arguments):
        self.receiver = Program(self, *self.runner, "--port", "0", *arguments)
        self.port = self.receiver.port()

    def start_engine(self, port, token=None, **settings):
        webhook = {"name": "mine", "target": f"http://127.0.0.1:{port}/", "events": ["*"]}
        webhooks, keys = pathlib.Path(self.folder, "webhooks.json"), pathlib.Path(self.folder, "keys")
        webhooks.write_text(json.dumps([{**webhook, "auth_token": token} if token else webhook]))
        keys.write_text(KEY + "\n")
        command = [COMMAND, "serve", "--memory", "--listen", "127.0.0.1:0", "--webhooks", webhooks, "--api-key-file", keys]
        for key, value in {**SETTINGS, **settings}.items():
            command += ["--set", f"{key}={value}"]
        self.engine = Program(self, *map(str, command))
        self.url = f"http://127.0.0.1:{self.engine.port()}"

    def run_command(self, *arguments, text=None):
        return subprocess.run([COMMAND, *arguments, "--url", self.url, "--api-key", KEY], input=text, text=True,
                              capture_output=True, check=True, timeout=30).stdout

    def push(self, count=20):
        self.run_command("push", text="".join(f'{{"type":"delivery","rcpt_to":"{number}@a.test"}}\n'
                                              for number in range(count)))

    def recipients(self):
        return [json.loads(line)["rcpt_to"] for line in self.receiver.lines if line.startswith("{")]

    def expect_each_once(self, count=20):
        wait_until(lambda: len(self.recipients()) >= count, "the events")
        time.sleep(0.5)
        self.assertEqual(sorted(self.recipients()), sorted(f"{number}@a.test" for number in range(count)))

    def expect_refusal(self, status):
        self.push()

        def statuses():
            webhook = json.loads(self.run_command("webhook", "list", "--json"))
            (webhook,) = webhook["results"] if isinstance(webhook, dict) else webhook
            batches = json.loads(self.run_command("webhook", "batches", webhook["id"], "--json"))
            return {str(batch["response_code"]) for batch in (batches["results"] if isinstance(batches, dict) else batches)}

        wait_until(lambda: statuses() == {str(status)}, f"an attempt answered {status}")
        self.assertEqual(self.recipients(), [])

    def post(self, body, **headers):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", body,
                                         {name.replace("_", "-"): value for name, value in headers.items()})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def signed(self, body, stamp):
        mac = hmac.digest(base64.b64decode(SECRET[6:]), f"id.{stamp}.".encode() + body, hashlib.sha256)
        return {"webhook_id": "id", "webhook_timestamp": str(stamp),
                "webhook_signature": "v1,AAAA v1," + base64.b64encode(mac).decode()}

    def test_the_right_token_is_taken(self):
        self.start_receiver("--token", "right")
        self.start_engine(self.port, "right")
        self.push()
        self.expect_each_once()

    def test_a_wrong_token_is_refused(self):
        self.start_receiver("--token", "right")
        self.start_engine(self.port, "wrong")
        self.expect_refusal(401)

    def test_no_token_is_refused(self):
        self.start_receiver("--token", "right")
        self.start_engine(self.port)
        self.expect_refusal(401)

    def test_a_signed_and_compressed_batch_is_taken(self):
        self.start_receiver("--secret", SECRET)
        self.start_engine(self.port, **{"signing.secrets": SECRET, "compression": "gzip"})
        self.push()
        self.expect_each_once()

    def test_a_wrong_secret_is_refused(self):
        self.start_receiver("--secret", SECRET)
        self.start_engine(self.port, **{"signing.secrets": "whsec_" + base64.b64encode(b"another" * 5).decode()})
        self.expect_refusal(401)

    def test_zstd_is_taken_or_comes_again_without(self):
        self.start_receiver("--token", "right")
        self.start_engine(self.port, "right", compression="zstd")
        self.push()
        self.expect_each_once()

    def test_an_old_or_unsigned_timestamp_is_refused(self):
        self.start_receiver("--secret", SECRET)
        body, now = b"[]", int(time.time())
        self.assertEqual(self.post(body, **self.signed(body, now)), 200)
        self.assertEqual(self.post(body, **self.signed(body, now - 3600)), 401)
        self.assertEqual(self.post(body, **{**self.signed(body, now), "webhook_timestamp": str(now + 1)}), 401)
        self.assertEqual(self.post(body + b" ", **self.signed(body, now)), 401)

    def test_a_batch_that_comes_again_after_a_time_out_counts_once(self):
        self.start_receiver("--token", "right")
        eater = AnswerEater(self, self.port, eaten_count=2)
        self.start_engine(eater.port, "right")
        self.push()
        wait_until(lambda: eater.requests_count >= 3, "the third attempt")
        self.expect_each_once()

    def test_an_event_in_two_batches_counts_once(self):
        self.start_receiver("--token", "right")
        events = [{"msys": {"message_event": {"type": "delivery", "event_id": str(number), "rcpt_to": f"{number}@a.test"}}}
                  for number in range(3)]
        for batch_id, part in (("b1", events[:2]), ("b2", events[1:]), ("b2", events)):
            self.assertEqual(self.post(json.dumps(part).encode(), X_MessageSystems_Batch_ID=batch_id,
                                       X_MessageSystems_Webhook_Token="right"), 200)
        self.expect_each_once(3)

    def test_it_stops_when_the_sender_has_hung_up(self):
        self.start_receiver("--token", "right")
        self.start_engine(self.port, "right")
        os.kill(self.receiver.process.pid, signal.SIGSTOP)
        self.push()
        time.sleep(1.5)
        os.kill(self.receiver.process.pid, signal.SIGCONT)
        self.expect_each_once()
        self.assertGreater(self.receiver.count("the sender hung up"), 0)

    def test_half_a_body_is_not_taken(self):
        self.start_receiver("--token", "right")
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nX-MessageSystems-Webhook-Token: right\r\n"
                               b"X-MessageSystems-Batch-ID: b1\r\nContent-Length: 100\r\n\r\n[]")
        wait_until(lambda: self.receiver.count("the sender hung up"), "the end of the connection")
        whole = json.dumps([{"msys": {"message_event": {"event_id": "1", "rcpt_to": "0@a.test"}}}]).encode()
        self.assertEqual(self.post(whole, X_MessageSystems_Batch_ID="b1", X_MessageSystems_Webhook_Token="right"), 200)
        self.expect_each_once(1)

    def test_what_is_no_batch_is_refused_and_the_next_one_taken(self):
        self.start_receiver("--token", "right")
        token = {"X_MessageSystems_Webhook_Token": "right"}
        self.assertEqual(self.post(b"[", **token), 400)
        self.assertEqual(self.post(b"no gzip", Content_Encoding="gzip", **token), 400)
        self.assertEqual(self.post(b"[]", Content_Encoding="br", **token), 415)
        self.assertEqual(self.post(gzip.compress(b"[]"), Content_Encoding="gzip", **token), 200)

    def test_it_stays_under_eighty_lines(self):
        self.assertLess(len(pathlib.Path(self.runner[-1]).read_text(encoding="utf-8").splitlines()), 80)


class PythonReceiver(Tests, unittest.TestCase):
    runner = ("/usr/bin/python3", "-B", "-u", str(FOLDER / "receiver.py"))


class NodeReceiver(Tests, unittest.TestCase):
    runner = ("node", str(FOLDER / "receiver.js"))


class Readme(unittest.TestCase):
    def test_its_blocks_deliver_an_event(self):
        blocks = re.findall(r"^```sh\n(.*?)^```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.M | re.S)
        self.assertEqual(len(blocks), 2)
        for block in blocks:
            with self.subTest(block), tempfile.TemporaryDirectory() as folder:
                pathlib.Path(folder, "examples").symlink_to(ROOT / "examples")
                pathlib.Path(folder, "posthaste").symlink_to(COMMAND)
                for port in ("8080", "8420"):
                    block = block.replace(port, str(free_port()))
                result = subprocess.run(["bash", "-c", block], cwd=folder, text=True, capture_output=True, timeout=60,
                                        env={**os.environ, "PATH": f"{folder}:/usr/bin:/bin:{os.environ['PATH']}"},
                                        check=False)
                events = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
                self.assertEqual([event["rcpt_to"] for event in events], ["a@example.com"], result.stderr)


if __name__ == "__main__":
    unittest.main()
