"""`posthaste serve`: start, keys, ingest, reload, stop, and what is there after a restart."""

import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

from command import Running, request, run, wait_until
from server import Server, events


class SocketClient:
    """A client of the unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.reader = self.socket.makefile("rb")

    def ask(self, data):
        self.socket.sendall(data)
        return json.loads(self.reader.readline())

    def close(self):
        self.reader.close()
        self.socket.close()


class Serve(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def serve(self, *arguments, **more):
        server = Server(self.folder, *arguments, **more)
        self.addCleanup(server.__exit__)
        return server

    def sink(self, *arguments):
        sink = Running(self.folder, "sink", "sink", "--listen", "127.0.0.1:0", "--json", *arguments)
        self.addCleanup(sink.__exit__)
        return sink, json.loads(sink.line_with("listening"))["listening"]

    def create(self, server, target, name="hook", types=("delivery",)):
        status, answer = server.api("POST", "/api/v1/webhooks", {"name": name, "target": target, "events": list(types)})
        self.assertEqual(status, 200, answer)
        return answer["results"]["id"]

    def delivered(self, sink):
        return sum(json.loads(line)["events"] for line in sink.output().splitlines()[1:] if '"accepted":true' in line)

    def test_the_first_key_is_made_once_in_a_private_file(self):
        server = self.serve()
        self.assertIn(f"first API key is in {server.key_file}", server.output())
        self.assertEqual(stat.S_IMODE(os.stat(server.key_file).st_mode), 0o600)
        self.assertEqual(server.api("GET", "/api/v1/webhooks"), (200, {"results": []}))
        self.assertEqual(request(server.address + "/api/v1/webhooks")[0], 401)
        self.assertEqual(server.end(), 0)
        again = self.serve(name="again")
        self.assertNotIn("first API key", again.output())
        self.assertEqual(again.api("GET", "/api/v1/webhooks")[0], 200)

    def test_webhooks_and_keys_are_there_after_a_restart_with_the_defaults(self):
        sink, target = self.sink()
        environment = {"STATE_DIRECTORY": str(self.folder / "spool")}
        server = self.serve(environment=environment, spool="spool")
        hook = self.create(server, target)
        status, key = server.api("POST", "/api/v1/keys", {"name": "second", "grant": "view"})
        self.assertEqual(status, 200)
        self.assertEqual(server.end(), 0)
        again = Server(self.folder, name="again", environment=environment)
        self.addCleanup(again.__exit__)
        again.key = key["results"]["key"]
        self.assertEqual([row["id"] for row in again.api("GET", "/api/v1/webhooks")[1]["results"]], [hook])

    def test_without_a_directory_it_uses_that_of_systemd_or_one_below_its_own(self):
        state = self.folder / "state"
        server = Running(self.folder, "state", "serve", "--listen", "127.0.0.1:0", environment={"STATE_DIRECTORY": f"{state}:/elsewhere"})
        self.addCleanup(server.__exit__)
        server.url()
        self.assertTrue((state / "spool.db").exists())
        self.assertEqual(server.end(), 0)

    def test_memory_mode_says_what_it_means(self):
        directory = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, directory)
        server = self.serve("--memory", spool="")
        self.assertIn("are lost when this process ends", server.errors())
        self.assertEqual(stat.S_IMODE(os.stat("first-api-key").st_mode), 0o600)
        server.key = pathlib.Path("first-api-key").read_text().strip()
        self.assertEqual(server.api("POST", "/api/v1/events?sync=true", events(0, 1))[0], 409)
        self.assertEqual(server.api("POST", "/api/v1/events", events(0, 1))[0], 200)
        status, _, errors = run("serve", "--memory", "--spool-dir", "x")
        self.assertEqual(status, 2)
        self.assertIn("--memory", errors)

    def test_events_come_by_http_socket_and_standard_input(self):
        sink, target = self.sink()
        path = self.folder / "in.sock"
        server = self.serve("--ingest", f"unix:{path}", "--ingest", "stdin", "--ingest", "http", "--set", "batch.max_age=50ms",
                            stdin=subprocess.PIPE)
        self.create(server, target)
        status, answer = server.api("POST", "/api/v1/events?sync=true", events(0, 10) + b"nonsense\n")
        self.assertEqual((status, answer["results"]["accepted"], answer["results"]["refused"]), (200, 10, 1))
        self.assertEqual(answer["results"]["errors"][0]["line"], 11)
        client = SocketClient(path)
        self.addCleanup(client.close)
        answer = client.ask(events(10, 10) + b"{}\n" + b'{"msys":{"message_event":{"type":"delivery"}}}\n' + b"sync\n")
        self.assertEqual({**answer, "errors": answer["errors"][0]["line"]},
                         {"accepted": 11, "refused": 1, "lines": 12, "synced": True, "errors": 11})
        self.assertEqual(client.ask(b"[1]\nsync\n")["errors"][0]["line"], 1)
        client.socket.sendall(events(20, 5)[:-1])
        client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(json.loads(client.reader.readline())["accepted"], 5)
        self.assertEqual(client.reader.readline(), b"")
        server.process.stdin.write(events(30, 7) + b"bad\n" + events(40, 1)[:-1])
        server.process.stdin.close()
        wait_until(lambda: self.delivered(sink) == 34, "34 events")
        self.assertIn("standard input line 8 refused: ", server.errors())
        wait_until(lambda: "standard input ended after 9 lines" in server.errors(), "the end of standard input")
        self.assertEqual(server.end(), 0)
        self.assertFalse(path.exists())

    def test_many_clients_write_to_the_socket_at_the_same_time(self):
        path = self.folder / "in.sock"
        server = self.serve("--ingest", f"unix:{path}")
        clients = [SocketClient(path) for _ in range(20)]
        for number, client in enumerate(clients):
            client.socket.sendall(events(number * 100, 100))
        for client in clients:
            self.assertEqual(client.ask(b"sync\n")["accepted"], 100)
            client.close()
        self.assertEqual(server.stats()["events"]["accepted"], 2000)

    def test_a_server_that_stops_answers_for_what_it_took(self):
        path = self.folder / "in.sock"
        server = self.serve("--ingest", f"unix:{path}")
        client = SocketClient(path)
        self.addCleanup(client.close)
        client.socket.sendall(events(0, 10))
        wait_until(lambda: server.stats()["events"]["accepted"] == 10, "10 events")
        server.process.terminate()
        answer = json.loads(client.reader.readline())
        self.assertEqual((answer["accepted"], answer["synced"]), (10, True))
        self.assertEqual(server.wait(), 0)

    def test_the_socket_of_a_dead_server_is_taken_and_that_of_a_living_one_is_not(self):
        path = self.folder / "in.sock"
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        server = self.serve("--ingest", f"unix:{path}")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o660)
        status, _, errors = run("serve", "--listen", "127.0.0.1:0", "--spool-dir", self.folder / "other", "--ingest", f"unix:{path}")
        self.assertEqual(status, 1)
        self.assertIn(f"another server listens on {path}", errors)
        status, _, errors = run("serve", "--listen", "127.0.0.1:0", "--spool-dir", server.spool)
        self.assertEqual(status, 5)
        self.assertIn(f"in use by process {server.process.pid}", errors)

    def test_what_waits_is_delivered_after_a_restart(self):
        sink, target = self.sink("--fail", "503")
        server = self.serve("--set", "batch.max_age=50ms")
        self.create_unverified(server, target)
        server.api("POST", "/api/v1/events?sync=true", events(0, 3))
        self.assertEqual(server.end(), 0)
        sink.end()
        again_sink = Running(self.folder, "sink2", "sink", "--listen", target.removeprefix("http://"), "--json")
        self.addCleanup(again_sink.__exit__)
        again_sink.line_with("listening")
        self.serve(name="again")
        wait_until(lambda: self.delivered(again_sink) == 3, "3 events")

    def create_unverified(self, server, target):
        body = {"name": "hook", "target": target, "events": ["delivery"], "settings": {"verify": "off"}}
        status, answer = server.api("POST", "/api/v1/webhooks", body)
        self.assertEqual(status, 200, answer)

    def test_a_key_file_gives_keys_and_takes_them_away_at_sighup(self):
        keys = self.folder / "keys"
        one, two = "a" * 30, "b" * 30
        keys.write_text(f"# keys\n\n{one}\n{two} view\n")
        server = self.serve("--api-key-file", str(keys))

        def status_of(key, method="GET"):
            return request(server.address + "/api/v1/webhooks", method, b"{}" if method == "POST" else None,
                           {"Authorization": key})[0]

        self.assertEqual((status_of(one), status_of(two), status_of(two, "POST"), status_of("c" * 30)), (200, 200, 403, 401))
        keys.write_text(f"{two}\n")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: status_of(one) == 401, "the key to be revoked")
        self.assertEqual(status_of(two, "POST"), 422)
        keys.write_text("short\n")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "keys stay" in server.errors(), "the refusal")
        self.assertEqual(status_of(two), 200)
        self.assertNotIn("short", server.errors())
        self.assertEqual(server.end(), 0)
        keys.write_text(f"{one}\n")
        server = self.serve("--api-key-file", str(keys), name="again")
        self.assertEqual((status_of(one), status_of(two)), (200, 401))

    def test_configuration_and_webhooks_are_read_again_at_sighup(self):
        config = self.folder / "posthaste.conf"
        hooks = self.folder / "webhooks.json"
        hooks.write_text(json.dumps([{"name": "one", "events": ["delivery"], "target": "http://127.0.0.1:9/"}]))
        config.write_text(f"# remarks\nbatch.max_age = 10s\nwebhooks = {hooks}\nadmin.gzip = off\n")
        server = self.serve("--config", str(config))

        def default_age():
            rows = server.api("GET", "/api/v1/settings")[1]["results"]
            return next(row["default"] for row in rows if row["key"] == "batch.max_age")

        def names():
            return sorted(row["name"] for row in server.api("GET", "/api/v1/webhooks")[1]["results"])

        self.assertEqual(names(), ["one"])
        self.assertTrue(default_age())
        hooks.write_text(json.dumps([{"name": "two", "events": ["open"], "target": "http://127.0.0.1:9/"}]))
        config.write_text(f"batch.max_age = 20s\nspool.sync = normal\nwebhooks = {hooks}\n")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: names() == ["two"], "the other webhook")
        wait_until(lambda: "reloaded" in server.errors(), "the reload")
        self.assertIn("spool.sync changes at the next start only", server.errors())
        config.write_text("batch.max_age = never\n")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "nothing changed" in server.errors(), "the refusal")
        self.assertIn("batch.max_age", server.errors())

    def test_systemd_is_told_when_it_is_ready_and_stops(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.bind(str(self.folder / "notify"))
            notices.settimeout(30)
            server = self.serve(environment={"NOTIFY_SOCKET": str(self.folder / "notify")})
            self.assertTrue(notices.recv(4096).startswith(b"READY=1\nSTATUS=listening on http://"))
            server.process.send_signal(signal.SIGHUP)
            self.assertRegex(notices.recv(4096), rb"\ARELOADING=1\nMONOTONIC_USEC=\d+\Z")
            self.assertEqual(notices.recv(4096), b"READY=1")
            server.process.terminate()
            self.assertEqual(notices.recv(4096), b"STOPPING=1")
            self.assertEqual(server.wait(), 0)

    def test_bad_input_is_one_line_and_a_status(self):
        config = self.folder / "bad.conf"
        config.write_text("batch.max_age = 10s\nnonsense\n")
        spool = ["--spool-dir", str(self.folder / "spool"), "--listen", "127.0.0.1:0"]
        cases = [(["--config", str(config)], "line 2"), (["--config", "/nowhere"], "/nowhere"),
                 (["--set", "no.such=1"], "no.such"), (["--set", "batch.max_age=x"], "batch.max_age"),
                 (["--set", "admin.no.such=1"], "no.such"), (["--webhooks", "/nowhere"], "/nowhere"),
                 (["--api-key-file", "/nowhere"], "/nowhere"), (["--set", "memory=maybe"], "memory"),
                 (["--set", "ingest=carrier-pigeon"], "carrier-pigeon")]
        for arguments, culprit in cases:
            status, output, errors = run("serve", *spool, *arguments)
            self.assertEqual(status, 2, (arguments, errors))
            self.assertEqual(errors.count("\n"), 1 if "webhooks" not in errors else errors.count("\n"))
            self.assertIn(culprit, errors)
            self.assertNotIn("listening", output)


if __name__ == "__main__":
    unittest.main()
