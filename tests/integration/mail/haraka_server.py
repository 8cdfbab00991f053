"""Haraka for tests and benchmarks: the real server from npm with the example's configuration, on loopback."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "haraka"
# Made by scripts/lib/setup.sh.
HARAKA = ROOT / "build" / "haraka" / "node_modules" / "Haraka" / "bin" / "haraka"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Haraka:
    """One server in a folder of its own. plugin: None leaves Posthaste out. Threads: one at a time."""

    def __init__(self, folder, next_hop_port, *, target=None, settings=None, nodes=0, plugin="posthaste",
                 log_level="info"):
        self.folder = pathlib.Path(folder) / "haraka"
        self.port = free_port()
        self.log_path = self.folder / "haraka.log"
        subprocess.run(["node", str(HARAKA), "-i", str(self.folder)], stdout=subprocess.DEVNULL, check=True, timeout=60)
        shutil.copytree(EXAMPLE / "config", self.folder / "config", dirs_exist_ok=True)
        shutil.copytree(EXAMPLE / "plugins", self.folder / "plugins", dirs_exist_ok=True)
        modules = self.folder / "node_modules"
        modules.mkdir(exist_ok=True)
        (modules / "haraka-plugin-posthaste").symlink_to(EXAMPLE / "plugin")
        self.write("plugins", "loopback\n" + (f"{plugin}\n" if plugin else ""))
        self.write("smtp.ini", f"listen=127.0.0.1:{self.port}\nnodes={nodes}\n")
        self.write("loopback_port", f"{next_hop_port}\n")
        self.write("loglevel", f"{log_level}\n")
        posthaste = json.loads((EXAMPLE / "config" / "posthaste.json").read_text())
        posthaste["settings"] |= {"spool.dir": str(self.folder / "spool"), **(settings or {})}
        webhook = posthaste["webhooks"]["main"]
        targets = [target] if isinstance(target, str) else target or []
        posthaste["webhooks"] = {f"hook{index}": {**webhook, "target": url} for index, url in enumerate(targets)}
        self.write("posthaste.json", json.dumps(posthaste))
        self.process = None

    def write(self, name, text):
        (self.folder / "config" / name).write_text(text)

    def start(self):
        build = os.environ["POSTHASTE_BUILD"]
        environment = {**os.environ, "NODE_PATH": f"{build}/node_modules:{ROOT}/build/node/node_modules"}
        with open(self.log_path, "ab") as log:
            # A process group of its own, so that a kill takes the workers of a cluster, too.
            self.process = subprocess.Popen(["node", str(HARAKA), "-c", str(self.folder)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=environment, start_new_session=True)
        wait_until(self._greets, f"Haraka\n{self.log()[-2000:]}")
        return self

    def _greets(self):
        if self.process.poll() is not None:
            raise AssertionError(f"Haraka ended: {self.log()[-2000:]}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as probe:
                return probe.recv(4).startswith(b"220")
        except OSError:
            return False

    def end(self, how=signal.SIGTERM):
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, how)
        except ProcessLookupError:
            pass
        self.process.wait(30)
        self.process = None

    def kill(self):
        self.end(signal.SIGKILL)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def logged(self, pattern):
        """The groups of all matches in the log."""
        return re.findall(pattern, self.log())

    def queued(self):
        """How many files wait in Haraka's queue."""
        return len([path for path in (self.folder / "queue").iterdir() if not path.name.startswith(".")])
