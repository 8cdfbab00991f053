#!/usr/bin/env python3
"""What the plugin of examples/haraka costs Haraka, beside a plugin that does nothing in its place.

Usage: scripts/bench.sh --mail haraka
A message is over when Haraka has delivered it to smtp-sink.
"""
import contextlib
import os
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "integration" / "mail")]
import pairs  # noqa: E402
from bench_tools import RunFailed  # noqa: E402
from haraka_server import Haraka  # noqa: E402

LIMIT_S = 600


class Run:
    """A running Haraka, and how far its log was read."""

    def __init__(self, haraka):
        self.haraka = haraka
        self._at = 0
        self._rest = b""
        self.delivered = 0

    def read_log(self):
        with open(self.haraka.log_path, "rb") as log:
            log.seek(self._at)
            text = self._rest + log.read()
            self._at = log.tell()
        lines = text.split(b"\n")
        self._rest = lines.pop()
        self.delivered += sum(b"delivered file=" in line for line in lines)


@contextlib.contextmanager
def running(condition, plugin):
    with pairs.NextHop() as hop:
        haraka = Haraka(condition.folder, hop.port, target=condition.urls, settings=condition.settings, plugin=plugin,
                        log_level="notice")
        shutil.copy(ROOT / "tests" / "bench" / "mail" / "haraka_nothing.js", haraka.folder / "plugins" / "nothing.js")
        haraka.start()
        try:
            yield Run(haraka)
        finally:
            haraka.end()


def start_plugin(condition):
    return running(condition, "posthaste")


def start_idle(condition):
    return running(condition, "nothing")


def load(run, messages):
    begin = time.monotonic()
    pairs.smtp_source(run.haraka.port, messages)
    awaited = run.delivered + messages
    while True:
        run.read_log()
        if run.delivered >= awaited:
            return time.monotonic() - begin
        if time.monotonic() - begin > LIMIT_S:
            raise RunFailed(f"Haraka delivered {messages - awaited + run.delivered} of {messages} messages in {LIMIT_S} s")
        time.sleep(0.005)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        build = Path(sys.argv[1]).resolve().parents[1]
        os.environ["POSTHASTE_BUILD"] = str(build)
        os.environ["POSTHASTE_LIBRARY"] = str(build / "src" / "libposthaste.so")
    sys.exit(pairs.main("haraka", start_plugin, start_idle, load))
