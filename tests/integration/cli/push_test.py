"""`posthaste push`: by HTTP and by socket, refused lines, a full and an absent server, and where it goes on."""

import http.server
import json
import os
import pathlib
import pty
import subprocess
import tempfile
import threading
import unittest

from command import COMMAND, run
from server import Server, events


class BusyServer(http.server.ThreadingHTTPServer):
    """Answers each request as its script says: (status, lines taken, Retry-After)."""

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), BusyHandler)
        self.script = list(script)
        self.bodies = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class BusyHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append((self.path, body))
        status, lines, wait = self.server.script.pop(0)
        lines = body.count(b"\n") if lines is None else lines
        answer = json.dumps({"results": {"accepted": lines, "refused": 0, "lines": lines, "errors": []}}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        if wait is not None:
            self.send_header("Retry-After", str(wait))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Push(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def serve(self, *arguments):
        server = Server(self.folder, *arguments)
        self.addCleanup(server.__exit__)
        return server

    def busy(self, *script):
        server = BusyServer(script)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def test_lines_go_by_http_and_by_socket(self):
        path = self.folder / "in.sock"
        server = self.serve("--ingest", f"unix:{path}")
        file = self.folder / "events"
        file.write_bytes(events(0, 30000))
        self.assertEqual(server.command("push", str(file)), (0, "30000 events accepted, 0 refused\n", ""))
        self.assertEqual(run("push", "--socket", path, "--json", data=events(0, 10)[:-1]),
                         (0, '{"accepted": 10, "refused": 0}\n', ""))
        self.assertEqual(server.command("push", "--skip", "29995", str(file))[1], "5 events accepted, 0 refused\n")
        self.assertEqual(server.stats()["events"]["accepted"], 30015)

    def test_refused_lines_are_named_with_their_numbers(self):
        path = self.folder / "in.sock"
        server = self.serve("--ingest", f"unix:{path}")
        data = events(0, 2) + b'{"type":"nonsense"}\n\n' + events(2, 1) + b"[]\n"
        for status, output, errors in (server.command("push", data=data), run("push", "--socket", path, data=data)):
            self.assertEqual((status, output), (1, "3 events accepted, 2 refused\n"))
            lines = errors.splitlines()
            self.assertEqual(len(lines), 2)
            self.assertRegex(lines[0], r"\Aposthaste: line 3 refused: .*nonsense")
            self.assertRegex(lines[1], r"\Aposthaste: line 6 refused: ")

    def test_numbers_of_refused_lines_go_on_over_chunks(self):
        server = self.serve()
        data = events(0, 40000) + b"bad\n"
        status, output, errors = server.command("push", data=data)
        self.assertEqual((status, output), (1, "40000 events accepted, 1 refused\n"))
        self.assertIn("line 40001 refused", errors)

    def test_it_goes_on_where_a_full_server_stopped(self):
        server = self.busy((503, 2, 0), (503, 0, 0), (200, None, None))
        self.assertEqual(run("push", "--url", server.url(), data=events(0, 5)), (0, "5 events accepted, 0 refused\n", ""))
        self.assertEqual([body.count(b"\n") for _, body in server.bodies], [5, 3, 3])
        self.assertEqual(server.bodies[0][0], "/api/v1/events?sync=true")
        self.assertEqual(server.bodies[2][1], events(2, 3))

    def test_a_server_in_memory_mode_is_asked_without_sync(self):
        server = self.busy((409, 0, None), (200, None, None))
        self.assertEqual(run("push", "--url", server.url(), data=events(0, 5))[0], 0)
        self.assertEqual([path for path, _ in server.bodies], ["/api/v1/events?sync=true", "/api/v1/events"])

    def test_when_it_gives_up_it_says_how_to_go_on(self):
        server = self.busy((503, 2, 0), *[(503, 0, 0)] * 10000)
        status, output, errors = run("push", "--url", server.url(), "--retry-for", "200ms", data=events(0, 5))
        self.assertEqual((status, output), (3, ""))
        self.assertEqual(errors, "posthaste: the server answered 503; 2 lines are done: go on with --skip 2\n")
        for arguments in (["--url", "http://127.0.0.1:9"], ["--socket", str(self.folder / "nobody")]):
            status, _, errors = run("push", *arguments, "--retry-for", "100ms", data=events(0, 5))
            self.assertEqual(status, 3)
            self.assertRegex(errors, r"\Aposthaste: cannot reach [^\n]+ 0 lines are done: go on with --skip 0\n\Z")

    def test_a_wrong_key_and_a_missing_file_are_told(self):
        server = self.serve()
        status, _, errors = run("push", "--url", server.address, "--api-key", "x" * 30, data=events(0, 1))
        self.assertEqual(status, 4)
        self.assertIn("the server answered 401", errors)
        status, _, errors = server.command("push", "/nowhere")
        self.assertEqual(status, 2)
        self.assertIn("/nowhere", errors)

    def test_the_progress_bar_is_for_terminals(self):
        server = self.serve()
        file = self.folder / "events"
        file.write_bytes(events(0, 30000))
        ours, its = pty.openpty()
        done = subprocess.run([COMMAND, "push", "--url", server.address, "--api-key-file", str(server.key_file), str(file)],
                              stdout=subprocess.PIPE, stderr=its, check=False, timeout=60)
        os.close(its)
        drawn = os.read(ours, 1 << 16).decode()
        os.close(ours)
        self.assertEqual((done.returncode, done.stdout), (0, b"30000 events accepted, 0 refused\n"))
        self.assertRegex(drawn, r"\[#+ *\] +\d+%  \d+ lines")


if __name__ == "__main__":
    unittest.main()
