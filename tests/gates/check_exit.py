#!/usr/bin/env python3
"""Ends a host by exit, without close, while 100 TLS requests are open: no run may crash or hang. With --listener the host
is one with the HTTP listener, which is in the middle of TLS requests.

Usage: check_exit.py [--listener] GUEST_EXIT POSTHASTE_RECEIVER RUNS
"""
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REQUESTS = 100
HOWS = ("exit", "return", "thread")
# From the middle of the handshakes to long after them.
WAITS_US = (0, 1000, 5000, 20000, 60000, 150000)


def start_receiver(command, folder):
    port_file = folder / "port"
    process = subprocess.Popen([command, "--tls", "--certificates", str(folder), "--port-file", str(port_file),
                                "--rule", "stop-at=before-head;stop-action=hang"], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not (port_file.exists() and port_file.read_text().strip()):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the receiver did not start")
        time.sleep(0.01)
    return process, int(port_file.read_text())


def main():
    is_listener = sys.argv[1] == "--listener"
    guest, receiver_command, runs = sys.argv[1 + is_listener:]
    runs = int(runs)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        receiver, port = start_receiver(receiver_command, Path(folder))
        try:
            for i in range(runs):
                how, wait = HOWS[i % len(HOWS)], WAITS_US[i // len(HOWS) % len(WAITS_US)]
                where = [folder] if is_listener else [f"https://localhost:{port}", f"{folder}/ca.pem", str(REQUESTS)]
                result = subprocess.run([guest, *where, how, str(wait)], text=True, capture_output=True, check=False)
                if result.returncode or result.stderr:
                    failed += 1
                    ending = (signal.Signals(-result.returncode).name if result.returncode < 0
                              else f"status {result.returncode}")
                    print(f"run {i} ({how} after {wait} us): {ending}\n{result.stdout}{result.stderr}")
        finally:
            receiver.terminate()
            receiver.wait()
    print(f"{runs} exits in the middle of TLS requests, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
