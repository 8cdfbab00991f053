"""`posthaste serve` beside a mail server whose processes are producers: it owns the spool and delivers."""

import json
import pathlib
import subprocess


class Serve:
    """On that spool, with one webhook for each URL; started, killed and stopped by the test, as often as it likes."""

    def __init__(self, program, spool, urls, *arguments, events=("*",), settings=(), user=None):
        self.spool = pathlib.Path(spool)
        webhooks = self.spool.parent / "webhooks.json"
        webhooks.write_text(json.dumps([{"name": f"hook {number}", "target": url, "events": list(events)}
                                        for number, url in enumerate(urls)]))
        self._command = [str(program), "serve", *arguments, "--listen", "127.0.0.1:0", "--spool-dir", str(spool),
                         "--webhooks", str(webhooks)]
        for key, value in dict(settings).items():
            if key != "spool.dir":
                self._command += ["--set", f"{key}={value}"]
        self._who = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self._command, text=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, **self._who)
        for line in self.process.stdout:
            if line.startswith("listening on"):
                return
        raise AssertionError("posthaste serve did not start")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process.stdout.close()
