#!/usr/bin/env python3
"""What posthaste-postfix costs Postfix, against a milter that does nothing. Run by scripts/bench.sh --mail postfix.

A run is over when the next hop has all messages, so that reading the log counts, too.
"""
import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pairs

ROOT = Path(__file__).resolve().parents[3]
sys.path[1:1] = [str(ROOT / "tests" / "integration" / "mail"), str(ROOT / "tests" / "support")]
from postfix_daemon import Daemon  # noqa: E402
from postfix_server import PostfixServer  # noqa: E402

# More smtpd than the load has sessions, and no limits that a load generator runs into.
SETTINGS = """
smtpd_error_sleep_time = 0
in_flow_delay = 0
default_destination_concurrency_limit = 20
"""


class Running:
    """A Postfix under load."""

    def __init__(self, postfix):
        self.postfix = postfix
        self.delivered = 0

    def load(self, messages):
        """Seconds until every message has gone on."""
        begin = time.monotonic()
        pairs.smtp_source(self.postfix.port, messages)
        self.delivered += messages
        with open(self.postfix.log, "rb") as log:
            found = 0
            while found < self.delivered:
                piece = log.read()
                found += piece.count(b"status=sent")
                if not piece:
                    time.sleep(0.02)
                if time.monotonic() - begin > 600:
                    raise pairs.RunFailed(f"{found} of {self.delivered} messages were delivered")
        return time.monotonic() - begin


@contextlib.contextmanager
def postfix_with(folder, milter_port):
    with pairs.NextHop() as next_hop:
        postfix = PostfixServer(folder / "postfix", next_hop.port, milter_port, SETTINGS)
        postfix.start()
        try:
            yield Running(postfix)
        finally:
            postfix.stop()


def start_plugin_of(programs):
    @contextlib.contextmanager
    def start_plugin(condition):
        daemon = Daemon(programs.parent.parent / "examples" / "postfix" / "posthaste-postfix", condition.folder / "daemon",
                        condition.folder / "postfix" / "log" / "mail.log", condition.urls,
                        [f"{key} {value}" for key, value in condition.settings.items()])
        daemon.start()
        try:
            with postfix_with(condition.folder, daemon.port) as running:
                yield running
        finally:
            daemon.stop()
    return start_plugin


def start_idle_of(programs):
    @contextlib.contextmanager
    def start_idle(condition):
        port = pairs.free_port()
        with subprocess.Popen([str(programs / "idle_milter"), f"inet:{port}@127.0.0.1"]) as milter:
            try:
                with postfix_with(condition.folder, port) as running:
                    yield running
            finally:
                milter.terminate()
    return start_idle


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    sys.exit(pairs.main("Postfix", start_plugin_of(folder), start_idle_of(folder), Running.load))
