"""Engine, for programs of threads, and Producer, for short-lived and many processes."""

import logging
import time
from types import TracebackType
from typing import Iterator, List, Optional, Tuple, Type, TypeVar, Union

import ctypes

from ._core import Core
from ._library import producer_library, to_bytes, to_ms
from ._registry import Registry, WebhookLike, description
from .report import Report
from .rest import Request, RequestHandle, Response, take_response
from .values import Settings
from .webhook import Webhook

LOGGER = logging.getLogger("posthaste")
LOGGER.addHandler(logging.NullHandler())
# A wait for reports is cut into pieces, so that the main thread heeds Ctrl-C.
_SLICE_MS = 200
_Self = TypeVar("_Self", bound="_Blocking")


class _Blocking(Core):
    """Start, close and sync for a host that may wait; and the context manager made of them."""

    close_timeout: Optional[float] = 10.0

    def start(self) -> None:
        """Starts the worker threads. A second call raises State."""
        self._start()

    def close(self, timeout: Optional[float] = 10.0) -> None:
        """Seals what is open, tries to deliver it for up to `timeout` seconds, and stops the threads. Raises TimedOut
        when something had to be dropped. A second call does nothing. Reports can be pulled afterwards."""
        timeout_ms = to_ms(timeout)
        self._is_open = False
        self.library.call(self.library.close, self.pointer, timeout_ms)

    def sync(self, timeout: Optional[float] = 10.0) -> None:
        """Waits until every push that returned before is on disk. Raises State in memory mode."""
        self.library.call(self.library.sync, self.pointer, to_ms(timeout))

    def __enter__(self: _Self) -> _Self:
        """Starts the engine, unless it was started before."""
        if not self._is_open:
            self.start()
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], _error: Optional[BaseException],
                 _traceback: Optional[TracebackType]) -> None:
        """Closes it within close_timeout seconds. What close has to say does not hide what the block raised."""
        try:
            self.close(self.close_timeout)
        except Exception:
            if kind is None:
                raise


class Producer(_Blocking):
    """An engine that writes events into the spool directory of an engine in another process, and does nothing else.

    Purpose: mail servers of many or short-lived processes. Uses libposthaste_producer, which loads neither libcurl nor
    SQLite, where it is installed. Ownership: as Engine. Threads: any, at once. Invariants: push returns when the event
    survives the end of the process; it waits up to producer.lock_timeout, then raises QueueFull.
    """

    def __init__(self, spool_dir: str, settings: Optional[Settings] = None) -> None:
        super().__init__({**(settings or {}), "role": "producer", "spool.dir": spool_dir}, producer_library())


class Engine(_Blocking, Registry):
    """An engine: one registry of webhooks, one queue, one set of the library's own threads.

    Purpose: what most hosts use, as a context manager. Ownership: freed with the object; close it, or leave its block,
    before. Threads: any, at once. Invariants: only methods with a `timeout`, in seconds, wait; None waits without limit.

    settings: configuration keys and their values (docs/configuration.md). logger: takes the library's log when reports
    are pulled; None leaves log lines to the setting log.reports. close_timeout: what leaving the block gives close.
    """

    def __init__(self, settings: Optional[Settings] = None, *, logger: Optional[logging.Logger] = LOGGER,
                 close_timeout: Optional[float] = 10.0) -> None:
        Registry.__init__(self, settings, logger)
        to_ms(close_timeout)
        self.close_timeout = close_timeout

    # ---- What waits

    def create(self, webhook: WebhookLike, timeout: Optional[float] = 70.0) -> Webhook:
        """Checks a webhook, sends it the test POST, and registers it if that is answered with 200. Raises VerifyFailed
        with what was answered."""
        out = ctypes.c_void_p()
        self.library.call(self.library.create, self.pointer, description(webhook), to_ms(timeout),
                          ctypes.byref(out))
        return Webhook.of_pointer(self.library, out.value)

    def update(self, webhook_id: str, webhook: WebhookLike, timeout: Optional[float] = 70.0) -> None:
        """Changes only the keys that are given. A changed target gets the test POST first."""
        self.library.call(self.library.update, self.pointer, to_bytes(webhook_id, "id"), description(webhook),
                          to_ms(timeout))

    def verify(self, webhook_id: str, timeout: Optional[float] = 70.0) -> None:
        """Sends the test POST to a registered webhook's target."""
        self.library.call(self.library.verify, self.pointer, to_bytes(webhook_id, "id"), to_ms(timeout))

    def flush(self, timeout: Optional[float] = 10.0) -> None:
        """Seals every open batch and waits for the first outcome of every sealed one."""
        self.library.call(self.library.flush, self.pointer, to_ms(timeout))

    def api_handle(self, request: Request, timeout: Optional[float] = 70.0) -> Response:
        """Answers one request of the REST API (docs/rest-api.md)."""
        out = ctypes.c_void_p()
        with RequestHandle(self.library, request) as pointer:
            self.library.call(self.library.api_handle, self.pointer, pointer, to_ms(timeout), ctypes.byref(out))
        return take_response(self.library, out)

    def dead_letter_replay(self, timeout: Optional[float] = 60.0, **settings: Union[str, int, None]) -> int:
        """Makes dead letters batches again, and says how many. Filters: as dead_letter_list."""
        return self._replay(to_ms(timeout), settings)

    def dead_letter_remove(self, timeout: Optional[float] = 60.0, **settings: Union[str, int, None]) -> int:
        """Deletes dead letters for good, and says how many."""
        return self._remove_dead(to_ms(timeout), settings)

    def purge(self, webhook_id: str, timeout: Optional[float] = 60.0) -> Tuple[int, int]:
        """Gives up what waits for a webhook; says how many batches and events."""
        return self._purge(webhook_id, to_ms(timeout))

    def spool_check(self, timeout: Optional[float] = 60.0) -> List[str]:
        """What is wrong with the spool, in texts for people; [] is a sound one."""
        return self._spool_check(to_ms(timeout))

    # ---- Tickets: the same without waiting; a report of kind "ticket" tells the end

    def create_ticket(self, webhook: WebhookLike) -> int:
        return self._ticket(self.library.create_ticket, description(webhook))

    def update_ticket(self, webhook_id: str, webhook: WebhookLike) -> int:
        return self._ticket(self.library.update_ticket, to_bytes(webhook_id, "id"), description(webhook))

    def verify_ticket(self, webhook_id: str) -> int:
        return self._ticket(self.library.verify_ticket, to_bytes(webhook_id, "id"))

    def flush_ticket(self) -> int:
        return self._ticket(self.library.flush_ticket)

    def sync_ticket(self) -> int:
        return self._ticket(self.library.sync_ticket)

    def close_ticket(self, timeout: Optional[float] = 10.0) -> int:
        timeout_ms = to_ms(timeout)
        self._is_open = False
        return self._ticket(self.library.close_ticket, timeout_ms)

    def api_handle_ticket(self, request: Request) -> int:
        with RequestHandle(self.library, request) as pointer:
            return self._ticket(self.library.api_handle_ticket, pointer)

    # ---- Reports

    def poll(self, timeout: Optional[float] = 0.0) -> Optional[Report]:
        """Takes the oldest report; None when none came within `timeout` seconds."""
        timeout_ms = to_ms(timeout)
        deadline = time.monotonic() + timeout_ms / 1000
        while True:
            left_ms = _SLICE_MS if timeout_ms < 0 else max(0, round((deadline - time.monotonic()) * 1000))
            report = self._pull(min(left_ms, _SLICE_MS))
            if report is not None or left_ms <= _SLICE_MS and timeout_ms >= 0:
                return report

    def reports(self, timeout: Optional[float] = 0.0) -> Iterator[Report]:
        """The reports that wait, and those that come, until none came for `timeout` seconds."""
        while True:
            report = self.poll(timeout)
            if report is None:
                return
            yield report
