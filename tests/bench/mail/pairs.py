"""What a plugin costs its mail server: pairs of runs, with the plugin and with one that does nothing in its place.

Each mail server's <server>_bench.py calls main() with two start functions and a load function; scripts/bench.sh --mail
<server> runs it. This module makes the conditions, takes turns, and judges the ratios. It knows no mail server.

    start_plugin(condition), start_idle(condition)
        Context managers around a running mail server, with the plugin and with what does nothing in its place. The
        server must be ready when they are entered. They yield a handle for `load`.
    load(handle, messages)
        Sends that many messages, waits until the server has done its part for all of them, and returns the seconds
        that it took. smtp_source() and NextHop are here for it.

`condition` tells the plugin what it meets:
    name       one of CONDITIONS
    folder     an empty folder for this run, removed afterwards
    urls       the targets; a webhook for each of them
    spool      the folder for spool.dir; on a full disk when the condition says so
    settings   configuration keys of the engine, spool.dir among them
"""
import argparse
import contextlib
import ctypes
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench_tools import RunFailed, Sink, say  # noqa: E402

CONDITIONS = ("healthy endpoints", "all endpoints hanging", "spool full")
LEAST_RATIO = 0.95
WEBHOOKS = 3
# A disk that holds the ballast of the spool, its database and a few small files of the journal, and then no more.
SMALL_DISK_MIB = 40
WAIT_S = 60


class Condition:
    def __init__(self, name, folder, sink_port):
        self.name = name
        self.folder = Path(folder)
        self.spool = self.folder / "disk" / "spool"
        self.spool.parent.mkdir()
        path = "/x" if name == "healthy endpoints" else "/hang"
        self.urls = [f"http://127.0.0.1:{sink_port}{path}/{number}" for number in range(WEBHOOKS)]
        # Files so small that the journal needs another one during the warm-up.
        self.settings = {"spool.dir": str(self.spool), "spool.file_bytes": "256KiB", "batch.max_age": "1s",
                         "log.level": "error"}

    @property
    def is_full(self):
        return self.name == "spool full"

    def fill(self):
        """Takes what the disk of a full spool has left."""
        with open(self.spool.parent / "filler", "wb", buffering=0) as filler:
            for piece in (1 << 20, 4096):
                with contextlib.suppress(OSError):
                    while filler.write(bytes(piece)) == piece:
                        pass


@contextlib.contextmanager
def small_disk(folder):
    """A file system of its own, which can be full without harm."""
    libc = ctypes.CDLL(None, use_errno=True)
    target = os.fsencode(str(folder))
    if libc.mount(b"posthaste", target, b"tmpfs", 0, f"size={SMALL_DISK_MIB}m,mode=0777".encode()) != 0:
        raise RunFailed(f"a full spool needs a small file system, and mounting it failed: "
                        f"{os.strerror(ctypes.get_errno())}; run as root")
    try:
        yield
    finally:
        libc.umount2(target, 2)  # MNT_DETACH: something may be about to end


@contextlib.contextmanager
def made_condition(name, programs):
    """Endpoints and folders for one run."""
    folder = tempfile.mkdtemp(dir="/var/tmp", prefix="posthaste-pairs-")
    os.chmod(folder, 0o755)
    # The later marker counts.
    with Sink(programs, options=["--marker", '"event_id":']) as sink, contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        condition = Condition(name, folder, sink.port)
        condition.sink = sink
        if condition.is_full:
            stack.enter_context(small_disk(condition.spool.parent))
        os.chmod(condition.spool.parent, 0o777)
        yield condition


def sink_stats(sink):
    connection = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=10)
    try:
        connection.request("GET", "/stats")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def expect_plugin(condition, messages):
    """A pair whose plugin pushed nothing would be a fine one: says so instead."""
    counter, least = {"healthy endpoints": ("events", messages), "all endpoints hanging": ("hung", 1),
                      "spool full": ("hung", 0)}[condition.name]
    deadline = time.monotonic() + WAIT_S
    while sink_stats(condition.sink)[counter] < least:
        if time.monotonic() > deadline:
            raise RunFailed(f"with {condition.name} the receiver counted {sink_stats(condition.sink)}, and "
                            f"{counter} should be {least} at least")
        time.sleep(0.1)


def timed(start, name, programs, load, messages, is_plugin):
    """One run: messages a second."""
    with made_condition(name, programs) as condition, start(condition) as handle:
        if condition.is_full:
            condition.fill()
        # Caches fill, processes start, and what is left of a full spool is used up.
        load(handle, max(1, messages // 4))
        seconds = load(handle, messages)
        if is_plugin:
            expect_plugin(condition, messages)
    return messages / seconds


def measure(name, programs, start_plugin, start_idle, load, pairs, messages):
    """Returns the ratio of each pair. Within a pair the first place goes round."""
    ratios = []
    starts = {True: start_plugin, False: start_idle}
    for number in range(1, pairs + 1):
        rates = {}
        for is_plugin in ((True, False) if number % 2 else (False, True)):
            rates[is_plugin] = timed(starts[is_plugin], name, programs, load, messages, is_plugin)
        ratios.append(rates[True] / rates[False])
        say(f"{name}, pair {number} of {pairs}: {rates[True]:.0f} messages/s with posthaste, {rates[False]:.0f} with "
            f"nothing in its place, ratio {ratios[-1]:.3f}")
    return ratios


def judge(ratios_of):
    """Prints the median of each condition; returns whether all reach what they must."""
    is_reached = True
    for name, ratios in ratios_of.items():
        median = statistics.median(ratios)
        verdict = "reached" if median >= LEAST_RATIO else "MISSED"
        is_reached = is_reached and median >= LEAST_RATIO
        say(f"{name:<24} median {median:.3f}, pairs {min(ratios):.3f} to {max(ratios):.3f}, must be at least "
            f"{LEAST_RATIO}: {verdict}")
    return is_reached


def main(server, start_plugin, start_idle, load, arguments=None):
    """Runs what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(description=f"What the plugin costs {server}, in pairs of runs.")
    parser.add_argument("programs", type=Path, help="the folder of the benchmark's programs")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--condition", action="append", choices=CONDITIONS, help="all when not given")
    chosen = parser.parse_args(arguments)
    say(f"{server}: {chosen.pairs} pairs of {chosen.messages} messages, a plugin with {WEBHOOKS} webhooks against one "
        "that does nothing")
    try:
        ratios_of = {name: measure(name, chosen.programs, start_plugin, start_idle, load, chosen.pairs, chosen.messages)
                     for name in chosen.condition or CONDITIONS}
    except RunFailed as error:
        say(f"{server}: {error}")
        return 2
    return 0 if judge(ratios_of) else 1


def smtp_source(port, messages, *, sessions=20, size=2000, sender="sender@load.test", recipient="user@hop.test"):
    """Postfix's load generator, for every mail server: returns the seconds from the first connection to the last reply."""
    begin = time.monotonic()
    result = subprocess.run(["smtp-source", "-4", "-s", str(sessions), "-l", str(size), "-m", str(messages), "-S", "load",
                             "-f", sender, "-t", recipient, f"127.0.0.1:{port}"],
                            text=True, capture_output=True, timeout=600, check=False)
    if result.returncode:
        raise RunFailed(f"smtp-source ended with {result.returncode}: {result.stderr.strip()}")
    return time.monotonic() - begin


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class NextHop:
    """Postfix's smtp-sink, which swallows what a mail server relays, for as long as a `with` lasts."""

    def __init__(self, options=()):
        self.port = free_port()
        self.command = ["smtp-sink", "-4", *options, f"127.0.0.1:{self.port}", "1000"]
        if os.geteuid() == 0:
            self.command[1:1] = ["-u", "nobody"]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + WAIT_S
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RunFailed("smtp-sink did not start")
            time.sleep(0.02)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
