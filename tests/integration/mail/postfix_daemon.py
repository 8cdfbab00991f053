"""posthaste-postfix as a process with its own folder, configured by the example file."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess

from postfix_server import EXAMPLE, free_port
from waiting import wait_until

TYPES = ["injection", "delivery", "delay", "bounce", "policy_rejection", "out_of_band", "spam_complaint"]


class Daemon:
    """Ended by its id; may be started again over the same folder."""

    def __init__(self, program, folder, log, targets, settings=("batch.max_age 200ms", "retry.base 100ms"), lines=()):
        self.program = str(program)
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = None
        webhooks = [{"name": f"mail events {number}", "target": target, "auth_token": "t", "events": TYPES}
                    for number, target in enumerate(targets)]
        (self.folder / "webhooks.json").write_text(json.dumps(webhooks))
        text = (EXAMPLE / "posthaste-postfix.conf.example").read_text(encoding="utf-8")
        for old, new in (("inet:8891", f"inet:{self.port}"), ("/var/log/mail.log", str(log)),
                         ("/var/lib/posthaste-postfix", str(self.folder)), ("/etc/posthaste-postfix", str(self.folder))):
            assert old in text, f"the example no longer has {old}"
            text = text.replace(old, new)
        self.config = self.folder / "posthaste-postfix.conf"
        self.config.write_text("\n".join([text, *(f"engine {setting}" for setting in settings), *lines, ""]))

    def start(self):
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen([self.program, str(self.config)], stdout=output, stderr=output)
        wait_until(self.is_listening, "the milter to listen")

    def is_listening(self):
        assert self.process.poll() is None, f"the daemon ended: {self.output()}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def output(self):
        return (self.folder / "output").read_text(errors="replace")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends it as an administrator would; returns its exit status."""
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.terminate()
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def place(self):
        """How far the log is read, by the state."""
        places = re.findall(r"^P\t(.*)\n", (self.folder / "state").read_text(), re.MULTILINE)
        return places[-1] if places else ""


def is_possible():
    """Postfix runs as root only."""
    return os.geteuid() == 0 and pathlib.Path("/usr/sbin/postfix").exists()
