"""The real rspamd with the plugin of examples/rspamd, a Postfix that asks it by milter, and `posthaste serve`, each in a
folder of its own. Used by rspamd_test.py and by the benchmark; wants root, and the Debian packages.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import urllib.request

from postfix_server import PostfixServer, free_port
from serve import Serve
from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "rspamd"
USER = "_rspamd"
# Postfix asks rspamd and discards what it took: only what comes in matters here.
POSTFIX = """
smtpd_milters = inet:127.0.0.1:{milter_port}
milter_default_action = tempfail
default_transport = discard
relay_transport = discard
header_size_limit = 200000
"""


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def children(pid):
    return list(map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


class Rspamd:
    """Ended by its id. cache: a folder that keeps compiled patterns from one start to the next. plugin: whether the example's
    plugin is installed; else rspamd does nothing of the kind."""

    def __init__(self, folder, cache, spool, library, plugin=True, rules=None):
        self.folder = pathlib.Path(folder)
        self.cache = pathlib.Path(cache)
        self.cache.mkdir(parents=True, exist_ok=True)
        shutil.chown(self.cache, USER, USER)
        self.scan_port, self.milter_port = free_port(), free_port()
        self.process = None
        for name in ("run", "log"):
            (self.folder / name).mkdir(parents=True)
            shutil.chown(self.folder / name, USER, USER)
        plugins = self.folder / "local" / "plugins.d"
        plugins.mkdir(parents=True)
        settings = ""
        if plugin:
            shutil.copy(EXAMPLE / "mail_events.lua", plugins)
            settings = (EXAMPLE / "rspamd.conf.local").read_text()
            for old, new in (("/var/lib/posthaste/spool", str(spool)), ("libposthaste_producer.so.0", str(library)),
                             ("/usr/local/share/lua/5.1", str(ROOT / "bindings" / "lua"))):
                assert old in settings, f"the example no longer has {old}"
                settings = settings.replace(old, new)
        if rules:
            settings += f'lua = "{rules}";\n'
        (self.folder / "local" / "rspamd.conf.local").write_text(settings)

    def start(self):
        names = {"LOCAL_CONFDIR": self.folder / "local", "RUNDIR": self.folder / "run", "LOGDIR": self.folder / "log",
                 "DBDIR": self.cache, "SCAN_PORT": self.scan_port, "MILTER_PORT": self.milter_port}
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(
                ["rspamd", "-f", "-u", USER, "-g", USER, *(f"--var={name}={value}" for name, value in names.items()), "-c",
                 str(EXAMPLE / "try.conf")], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        wait_until(self.is_ready, "rspamd to scan", 120)

    def is_ready(self):
        assert self.process.poll() is None, f"rspamd ended: {self.log()}"
        if not is_listening(self.milter_port):
            return False
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.scan_port}/ping", timeout=5).status == 200
        except OSError:
            return False

    def scan(self, data, sender, recipients, queue_id=None, peer="192.0.2.1", timeout=30):
        """Asks for a verdict by HTTP; returns the answer. Raises OSError when none came."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.scan_port}/checkv2", data)
        request.add_header("From", sender)
        request.add_header("IP", peer)
        if recipients:
            request.add_header("Rcpt", ",".join(f"<{recipient}>" for recipient in recipients))
        if queue_id:
            request.add_header("Queue-Id", queue_id)
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.loads(answer.read())

    def workers(self, kind):
        """Process ids of the workers of a kind: normal, rspamd_proxy."""
        found = []
        for pid in children(self.process.pid):
            try:
                if pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(f"rspamd: {kind} process".encode()):
                    found.append(pid)
            except OSError:
                continue
        return found

    def kill_workers(self, kind):
        """SIGKILL for all of them at once; the main process makes new ones."""
        victims = self.workers(kind)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        return victims

    def log(self):
        path = self.folder / "log" / "rspamd.log"
        return path.read_text(errors="replace") if path.exists() else (self.folder / "output").read_text(errors="replace")

    def verdicts(self):
        """`(queue id, action, recipients)` of each message that it says it scanned."""
        pattern = re.compile(r"rspamd_task_write_log: id: .*?, qid: <([^>]*)>.*?\(default: \w \(([\w ]+)\).* rcpts: (\S*),")
        return [(queue_id, action, recipients.replace("<", "").replace(">", "").split(","))
                for queue_id, action, recipients in pattern.findall(self.log())]

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def postfix_before(rspamd, folder):
    """A Postfix, not yet started, that asks that rspamd by its milter."""
    return PostfixServer(folder, 0, 0, extra=POSTFIX.format(milter_port=rspamd.milter_port))


def serve_on(program, spool, urls, settings=()):
    """`posthaste serve`, with the example's configuration, on the spool that the workers of rspamd write to."""
    return Serve(program, spool, urls, "--config", str(EXAMPLE / "posthaste.conf"),
                 events=("injection", "policy_rejection"), settings=settings)
