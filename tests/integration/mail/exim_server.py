"""Exim from its Debian packages, unpacked beside what is installed (scripts/lib/setup.sh), with the configuration of
examples/exim; and the `posthaste serve` that delivers for it.

Exim reads /etc/exim4/exim4.conf and nothing else as root, so each command runs in a mount namespace of its own in which a
folder of the test is /etc/exim4. Used by exim_test.py and by the benchmark; standard library only. Wants root, as Exim
does.
"""

import collections
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

from serve import Serve
from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "build" / "exim" / "usr" / "sbin" / "exim4"
EXAMPLE = ROOT / "examples" / "exim" / "exim4.conf"
USER = "Debian-exim"
IN_NAMESPACE = """mount --make-rprivate / && mount --bind "$1" /etc/exim4 &&
mount --bind "$1/resolv.conf" /etc/resolv.conf && shift && exec "$@\""""
# Exim's code of a deferral; of -51 and less there was no attempt.
DEFERRAL = re.compile(r" defer \((-?\d+)\)")
NOT_TRIED = -51
LOG_LINE = re.compile(r"^\S+ \S+ (?:(?P<id>\w{6}-\w{6}-\w{2}) )?(?P<rest>.*)$")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def folder_of_exim(path):
    path.mkdir()
    shutil.chown(path, USER, USER)
    return path


class EximServer:
    """One instance in a folder, ended by the ids of its own processes."""

    def __init__(self, folder, module, spool, hosts, retry="* * F,1h,1s", extra=""):
        """hosts: where all goes, as manualroute writes it; None: by the DNS, which never answers. retry: lines of the retry rules."""
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.config = self.folder / "etc"
        self.config.mkdir()
        self.spool = folder_of_exim(self.folder / "exim")
        self.logs = folder_of_exim(self.folder / "log")
        self.mail = folder_of_exim(self.folder / "mail")
        text = EXAMPLE.read_text(encoding="utf-8")
        (self.config / "exim4.conf").write_text(text.replace("* * RETRY", retry), encoding="utf-8")
        (self.config / "mailboxes").write_text("alice: alice\nbob: bob\n")
        (self.config / "aliases").write_text("list: alice@local.test, accept-list@far.test\ngone: :fail: gone away\n")
        # Nothing listens there.
        (self.config / "resolv.conf").write_text("nameserver 127.0.0.9\n")
        (self.config / "blocked").write_text("blocked@local.test: spam trap\n")
        (self.config / "posthaste.local").write_text(f"""
PH_MODULE = {module}
PH_SPOOL = {spool}
LOCAL_DOMAINS = local.test
{f'SMARTHOST = "{hosts}"' if hosts else ""}
MAILDIRS = {self.mail}
ALIASES = /etc/exim4/aliases
primary_hostname = mx.local.test
exim_path = {PROGRAM}
spool_directory = {self.spool}
log_file_path = {self.logs}/%slog
daemon_smtp_ports = {self.port}
local_interfaces = 127.0.0.1
pid_file_path = {self.spool}/exim.pid
tls_advertise_hosts =
queue_run_max = 5
dns_retrans = 1s
dns_retry = 1
smtp_accept_queue_per_connection = 0
{extra}
""")
        self.process = None
        self._namespace = None

    def command(self, *arguments):
        return ["unshare", "-m", "sh", "-c", IN_NAMESPACE, "sh", str(self.config), str(PROGRAM), *arguments]

    def run(self, *arguments, text=None):
        return subprocess.run(self.command(*arguments), check=True, text=True, input=text, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60).stdout

    def start(self, queue_runs="-q1s"):
        self.process = subprocess.Popen(self.command("-bdf", queue_runs) if queue_runs else self.command("-bdf"),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.is_listening, "Exim to listen")
        self._namespace = os.readlink(f"/proc/{self.process.pid}/ns/mnt")

    def is_listening(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def processes(self):
        """The ids of all processes in the daemon's namespace: its own and what came of them."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{name}/ns/mnt") == self._namespace:
                    found.append(int(name))
            except OSError:
                continue
        return found

    def kill(self):
        """SIGKILL for the daemon and everything that it started."""
        while self.processes():
            for pid in self.processes():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.poll()
            time.sleep(0.01)
        self.process.wait()

    def kill_deliveries(self):
        """SIGKILL for everything that the daemon started; it goes on."""
        for pid in self.processes():
            if pid != self.process.pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.kill()

    def queue_size(self):
        """Messages to deliver. A kill while Exim removes a message may leave its -H without its -D, which Exim passes
        over for ever."""
        names = os.listdir(self.spool / "input") if (self.spool / "input").is_dir() else []
        return sum(name.endswith("-D") and f"{name[:-1]}H" in names for name in names)

    def wait_for_empty_queue(self, limit_s=90):
        wait_until(lambda: self.queue_size() == 0 or time.sleep(0.2), "an empty queue", limit_s)

    def log(self):
        return (self.logs / "mainlog").read_text(encoding="utf-8", errors="replace").splitlines()

    def told(self):
        """What the log says, as Counters of (message id, recipient in lower case) by event type; a rejection has the
        recipient alone, or the message's id when it is the message that was refused."""
        told = collections.defaultdict(collections.Counter)
        for line in self.log():
            parts = LOG_LINE.match(line)
            message, rest = parts["id"], parts["rest"]
            sign, _, text = rest.partition(" ")
            if sign == "<=":
                for recipient in text.rpartition(" for ")[2].split():
                    told["injection"][message, recipient.lower()] += 1
            elif sign == "==" and int(DEFERRAL.search(text)[1]) <= NOT_TRIED:
                continue
            elif sign in ("=>", "->", "**", "=="):
                event = {"=>": "delivery", "->": "delivery", "**": "bounce", "==": "delay"}[sign]
                told[event][message, self._final(text)] += 1
            elif " rejected RCPT " in rest:
                told["policy_rejection"][rest.partition(" rejected RCPT <")[2].partition(">")[0].lower()] += 1
            elif " rejected after DATA" in rest:
                told["policy_rejection"][message] += 1
        return told

    @staticmethod
    def _final(text):
        """The address that was delivered to: a local one stands there without its domain."""
        address = text.split()[0].rstrip(":").lower()
        return address if "@" in address else f"{address}@local.test"


def serve_on(program, spool, urls, settings=()):
    """`posthaste serve` on a spool that Exim's user writes to."""
    return Serve(program, spool, urls, "--set", f"spool.group={USER}", "--set", "spool.file_mode=0660",
                 settings=settings, user=USER)
