"""Postfix from its Debian package as an instance of its own: no file of /etc is touched. Wants root, as Postfix does.

Used by postfix_test.py and by the benchmark; standard library only.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "postfix"
SETTINGS = """
compatibility_level = 3.6
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.test.local
mydestination =
mynetworks = 127.0.0.0/8
disable_dns_lookups = yes
alias_maps =
alias_database =
local_recipient_maps =
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
transport_retry_time = 1s
smtp_connect_timeout = 5s
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 10000
multi_instance_enable = no
maillog_file_permissions = 0644
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def example_settings():
    """The lines of the example main.cf."""
    lines = (EXAMPLE / "main.cf.example").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


class PostfixServer:
    """One instance in a folder; ended by its master's process id."""

    def __init__(self, folder, next_hop_port, milter_port, extra=""):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.config = self.folder / "etc"
        self.log = self.folder / "log" / "mail.log"
        for name in ("etc", "queue", "data", "log"):
            (self.folder / name).mkdir(parents=True)
        shutil.chown(self.folder / "data", "postfix")
        example = "\n".join(example_settings()).replace(":8891", f":{milter_port}") if milter_port else ""
        (self.config / "main.cf").write_text(
            f"{SETTINGS}\nqueue_directory = {self.folder}/queue\ndata_directory = {self.folder}/data\n"
            f"maillog_file_prefixes = {self.folder}/log\nmaillog_file = {self.log}\n"
            f"relayhost = [127.0.0.1]:{next_hop_port}\n{example}\n{extra}\n")
        shutil.copy("/usr/share/postfix/master.cf.dist", self.config / "master.cf")
        self.run("postconf", "-MX", "smtp/inet")
        self.run("postconf", "-M", f"{self.port}/inet={self.port} inet n - n - - smtpd")
        self.run("postconf", "-F", "*/*/chroot=n")

    def run(self, program, *arguments):
        # The instance's own settings come first: MAIL_CONFIG would be refused for another user's files.
        return subprocess.run([program, "-c", str(self.config), *arguments], check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60).stdout

    def start(self):
        self.run("postfix", "start")
        wait_until(self.is_listening, "Postfix to listen")

    def is_listening(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def master_pid(self):
        return int((self.folder / "queue" / "pid" / "master.pid").read_text())

    def kill(self):
        """SIGKILL for the master and every process below it."""
        master = self.master_pid()
        below = subprocess.run(["pgrep", "-P", str(master)], text=True, capture_output=True, check=False).stdout.split()
        for pid in (master, *map(int, below)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until(lambda: not self.is_listening(), "Postfix's end")

    def stop(self):
        subprocess.run(["postfix", "-c", str(self.config), "stop"], check=False, timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def flush(self):
        self.run("postqueue", "-f")

    def queue(self):
        return [line for line in self.run("postqueue", "-j").splitlines() if line.startswith("{")]

    def wait_for_empty_queue(self, limit_s=60):
        wait_until(lambda: not self.queue() or time.sleep(0.2), "an empty queue", limit_s)

    def logs(self):
        """All lines, of rotated files too, in the order of their writing."""
        import gzip
        files = sorted((path for path in self.log.parent.iterdir() if path.name.startswith(self.log.name)),
                       key=lambda path: path.stat().st_mtime_ns)
        lines = []
        for path in files:
            opened = gzip.open if path.suffix == ".gz" else open
            with opened(path, "rt", encoding="utf-8", errors="replace") as text:
                lines += text.read().splitlines()
        return lines

    def statuses(self):
        """`(queue id, recipient, status)` of each line of a delivery attempt."""
        pattern = re.compile(r" postfix/\w+\[\d+\]: (\w+): to=<([^>]*)>.* status=(\w+) ")
        return [match.groups() for line in self.logs() if (match := pattern.search(line))]
