"""What the tests of the Python binding share: a receiver on loopback, engines that are closed at the end, and Python
programs of their own process."""

import contextlib
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest
from typing import Any, Dict, Iterator, List, Optional, Type

import posthaste
from mini_mta_host import WAIT_S, Receiver
from waiting import wait_until

MESSAGE = {"message_id": "0000d0678854f761a402", "rcpt_to": "a@b.test"}


class BindingCase(unittest.TestCase):
    """A test with a scratch folder and, when asked for, a receiver and engines."""

    maxDiff = None

    def setUp(self) -> None:
        self.folder = self.enterContextOf(tempfile.TemporaryDirectory(prefix="posthaste-"))

    def enterContextOf(self, manager: Any) -> Any:
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def receiver(self, *options: str) -> Any:
        receiver = Receiver(tempfile.mkdtemp(dir=self.folder), *options)
        self.addCleanup(receiver.end)
        return receiver

    def engine(self, settings: Optional[posthaste.Settings] = None, **options: Any) -> posthaste.Engine:
        """A started engine; closed at once at the end of the test, whatever waits."""
        engine = posthaste.Engine(settings, **options)
        engine.start()
        self.addCleanup(shut, engine)
        return engine

    def delivering(self, receiver: Any, settings: Optional[posthaste.Settings] = None,
                   events: str = "*") -> posthaste.Engine:
        """An engine with one webhook, "hook", at the receiver."""
        engine = self.engine(settings)
        engine.put("hook", {"name": "hook", "target": receiver.url + "/hook", "events": events})
        return engine

    def raised(self, kind: Type[Exception], function: Any, *arguments: Any, **options: Any) -> Any:
        with self.assertRaises(kind) as caught:
            function(*arguments, **options)
        return caught.exception

    def run_python(self, source: str, *arguments: str, environment: Optional[Dict[str, str]] = None,
                   expected_status: int = 0) -> str:
        """Runs a program; its output when it ended as expected without a word on stderr."""
        result = subprocess.run([sys.executable, "-W", "error::ResourceWarning", "-W", "ignore::DeprecationWarning", "-X", "faulthandler", "-c",
                                 textwrap.dedent(source), *arguments], capture_output=True, text=True,
                                timeout=WAIT_S, check=False, env={**os.environ, **(environment or {})})
        self.assertEqual((result.returncode, result.stderr), (expected_status, ""), result.stdout)
        return result.stdout


def shut(engine: posthaste.Engine) -> None:
    with contextlib.suppress(posthaste.TimedOut):
        engine.close(0)


def events_of(receiver: Any, count: int) -> List[Dict[str, Any]]:
    """Waits for that many events, and takes away what the library added."""
    wait_until(lambda: len(receiver.events()) >= count, f"{count} events", WAIT_S)
    found: List[Dict[str, Any]] = receiver.events()
    return [{key: value for key, value in event.items() if key not in ("event_id", "timestamp")} for event in found]


def reports_of(engine: posthaste.Engine, kind: str, timeout: float = 10) -> Iterator[posthaste.Report]:
    """The reports of one kind, as they come."""
    return (report for report in engine.reports(timeout) if report.kind == kind)

