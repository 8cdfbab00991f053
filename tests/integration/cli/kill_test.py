"""`posthaste serve` fed on its socket by several clients, killed and restarted in the middle: nothing acknowledged is lost.

Usage: kill_test.py [LINES]
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from command import COMMAND, Running, wait_until
from server import Server, events

LINES = int(sys.argv.pop()) if len(sys.argv) > 1 else 200_000
CLIENTS = 4
KILLS = 2


class Kill(unittest.TestCase):
    def test_nothing_acknowledged_is_lost(self):
        with tempfile.TemporaryDirectory() as name:
            self.run_in(pathlib.Path(name))

    def run_in(self, folder):
        path = folder / "in.sock"
        sink = Running(folder, "sink", "sink", "--listen", "127.0.0.1:0", "--json", "--events", "1000000")
        self.addCleanup(sink.__exit__)
        target = json.loads(sink.line_with("listening"))["listening"]

        def start(number):
            server = Server(folder, "--ingest", f"unix:{path}", "--set", "batch.max_age=200ms", "--set", "retry.base=50ms",
                            name=f"serve{number}")
            self.addCleanup(server.__exit__)
            return server

        server = start(0)
        body = {"name": "hook", "target": target, "events": ["delivery"]}
        self.assertEqual(server.api("POST", "/api/v1/webhooks", body)[0], 200)
        share = LINES // CLIENTS
        clients = []
        for number in range(CLIENTS):
            file = folder / f"events{number}"
            file.write_bytes(events(number * share, share))
            clients.append(subprocess.Popen([COMMAND, "push", "--socket", str(path), "--retry-for", "60s", str(file)],
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        for number in range(1, KILLS + 1):
            wanted = share * CLIENTS * number // (KILLS + 2)
            wait_until(lambda: server.stats()["events"]["accepted"] > wanted / 4 or
                       all(client.poll() is not None for client in clients), "some of the events")
            if number == 1:
                self.assertTrue(any(client.poll() is None for client in clients), "killed in the middle, not after the end")
            server.process.kill()
            server.process.wait()
            server = start(number)
        for client in clients:
            output, errors = client.communicate(timeout=1500)
            self.assertEqual((client.returncode, output.decode()), (0, f"{share} events accepted, 0 refused\n"), errors)
        self.arrived(sink, share * CLIENTS)
        self.assertEqual(server.end(), 0)

    def arrived(self, sink, count):
        """Every event of every client came at least once."""
        seen = bytearray(count)
        missing = count
        deadline = time.monotonic() + 600
        with open(sink.output_file, encoding="utf-8") as file:
            rest = ""
            while missing > 0:
                self.assertLess(time.monotonic(), deadline, f"{missing} acknowledged events never came")
                chunk = file.read(1 << 24)
                if not chunk:
                    time.sleep(0.05)
                    continue
                *lines, rest = (rest + chunk).split("\n")
                for line in lines:
                    for record in json.loads(line).get("first_events", []):
                        number = int(record["msys"]["message_event"]["event_id"])
                        missing -= not seen[number]
                        seen[number] = 1


if __name__ == "__main__":
    unittest.main()
