#!/usr/bin/env python3
"""What the module of examples/exim costs Exim, beside a module that does nothing in its place.

Usage: scripts/bench.sh --mail exim
A message is over when Exim has delivered it to smtp-sink and completed it.
"""
import contextlib
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "integration" / "mail")]
import pairs  # noqa: E402
from bench_tools import RunFailed  # noqa: E402
from exim_server import EximServer, folder_of_exim, serve_on  # noqa: E402

BUILD = Path(sys.argv[1]).resolve().parents[1] if len(sys.argv) > 1 else None
LIMIT_S = 900
# All sessions of smtp-source at a time, each message delivered at once.
LOAD_SETTINGS = "smtp_accept_max = 100\nsmtp_accept_max_per_host = 100\n"


class Run:
    """A running Exim, and how far its log was read."""

    def __init__(self, exim):
        self.exim = exim
        self.completed = 0
        self._at = 0
        self._rest = b""

    def read_log(self):
        with open(self.exim.logs / "mainlog", "rb") as log:
            log.seek(self._at)
            text = self._rest + log.read()
            self._at = log.tell()
        lines = text.split(b"\n")
        self._rest = lines.pop()
        self.completed += sum(line.endswith(b" Completed") for line in lines)


@contextlib.contextmanager
def running(condition, module):
    with pairs.NextHop() as hop, contextlib.ExitStack() as stack:
        exim = EximServer(condition.folder, module, condition.spool, f"127.0.0.1::{hop.port}", extra=LOAD_SETTINGS)
        stack.callback(exim.stop)
        exim.start()
        yield Run(exim)


@contextlib.contextmanager
def start_plugin(condition):
    folder_of_exim(condition.spool)
    serve = serve_on(BUILD / "src" / "cli" / "posthaste", condition.spool, condition.urls, condition.settings)
    serve.start()
    try:
        with running(condition, BUILD / "examples" / "exim" / "posthaste_exim.so") as run:
            yield run
    finally:
        serve.stop()


def start_idle(condition):
    return running(condition, BUILD / "tests" / "bench" / "exim_nothing.so")


def load(run, messages):
    target = run.completed + messages
    begin = time.monotonic()
    pairs.smtp_source(run.exim.port, messages)
    while run.completed < target:
        if time.monotonic() > begin + LIMIT_S:
            raise RunFailed(f"Exim completed {run.completed} messages of {target}")
        time.sleep(0.05)
        run.read_log()
    return time.monotonic() - begin


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("the benchmark of Exim wants root")
    sys.exit(pairs.main("Exim", start_plugin, start_idle, load))
