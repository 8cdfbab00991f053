"""Webhooks, API keys, statistics and the spool of an engine that delivers: the calls that answer at once. Engine and
AsyncEngine add those that wait, each in its way."""

import ctypes
import json
import logging
import os
import tempfile
import threading
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Union

from ._core import Core, log_settings
from ._declarations import (OK, REMOVE_DRAIN, REMOVE_DROP, STATUS_ALL, STATUS_FAILED, posthaste_write_fn)
from ._library import is_empty, main_library, to_bytes
from .report import Report, log_report, take_report
from .rest import grant_value, subaccount_value
from .values import Settings, flat
from .webhook import Webhook

# What put, create and update take: a description, or the settings of one.
WebhookLike = Union[Webhook, Settings]


class Filter:
    """A choice of waiting batches or dead letters, for the length of a call: a context manager that gives its pointer.
    Keys: webhook_id, batch_id, from_ms, before_ms, status."""

    def __init__(self, core: Core, settings: Mapping[str, Union[str, int, None]]) -> None:
        self._library = core.library
        self._settings = settings
        self._pointer: Optional[int] = None

    def __enter__(self) -> Optional[int]:
        self._pointer = self._library.filter_new()
        try:
            for key, value in flat(self._settings):
                self._library.call(self._library.filter_set, self._pointer, key, value)
        except BaseException:
            self.__exit__()
            raise
        return self._pointer

    def __exit__(self, *_exception: object) -> None:
        self._library.filter_free(self._pointer)
        self._pointer = None


def description(webhook: WebhookLike) -> Webhook:
    if not isinstance(webhook, (Webhook, Mapping)):
        raise TypeError(f"a webhook is a Webhook or a mapping, not {type(webhook).__name__}")
    return webhook if isinstance(webhook, Webhook) else Webhook(webhook)


class Registry(Core):
    """The calls on a delivering engine that answer at once.

    Purpose: what Engine and AsyncEngine have in common beyond Core. Ownership, threads, invariants: as Core.
    """

    def __init__(self, settings: Optional[Settings], logger: Optional[logging.Logger]) -> None:
        super().__init__(log_settings(settings or {}, logger), main_library())
        self.logger = logger

    # ---- Webhooks

    def put(self, webhook_id: str, webhook: WebhookLike) -> None:
        """Declares a webhook under the host's own id, also before start; without a test POST, and changing nothing when
        nothing changed, so that a host calls it at every start."""
        self.library.call(self.library.put, self.pointer, _id(webhook_id), description(webhook))

    def remove(self, webhook_id: str, drop: bool = False) -> None:
        """Removes a webhook. Its queued batches still go out; with `drop` they are dropped and reported."""
        self.library.call(self.library.remove, self.pointer, _id(webhook_id), REMOVE_DROP if drop else REMOVE_DRAIN)

    def pause(self, webhook_id: str) -> None:
        """Holds its batches back; events are still taken."""
        self.library.call(self.library.pause, self.pointer, _id(webhook_id))

    def resume(self, webhook_id: str) -> None:
        """Ends a pause or a disabling."""
        self.library.call(self.library.resume, self.pointer, _id(webhook_id))

    def find(self, webhook_id: str) -> Webhook:
        """A snapshot of one webhook, secrets as ****."""
        out = ctypes.c_void_p()
        self.library.call(self.library.find, self.pointer, _id(webhook_id), ctypes.byref(out))
        return Webhook.of_pointer(self.library, out.value)

    def list(self) -> List[Webhook]:
        """Snapshots of all, in the order of their registration."""
        library, out = self.library, ctypes.c_void_p()
        library.call(library.list, self.pointer, ctypes.byref(out))
        try:
            return [Webhook.of_pointer(library, library.webhook_copy(library.webhook_list_at(out, i)))
                    for i in range(library.webhook_list_count(out))]
        finally:
            library.webhook_list_free(out)

    def load(self, path: Union[str, "os.PathLike[str]"]) -> Dict[str, int]:
        """Reconciles with a Momentum webhooks file; gives how many were added, changed, removed, unchanged."""
        return self._object(self.library.load, to_bytes(os.fspath(path), "path"))

    def open_batch(self, webhook_id: str) -> Tuple[int, int]:
        """How many events and bytes wait in a webhook's open batch."""
        events, size = ctypes.c_uint64(), ctypes.c_uint64()
        self.library.call(self.library.open_batch, self.pointer, _id(webhook_id), ctypes.byref(events),
                          ctypes.byref(size))
        return events.value, size.value

    def batch_status(self, webhook_id: str, limit: int = 0, successes: bool = False) -> List[Dict[str, Any]]:
        """The last attempts of a webhook's batches in the last 24 hours, newest first; those that failed, or all."""
        return self._array(self.library.batch_status, _id(webhook_id), _count(limit),
                           STATUS_ALL if successes else STATUS_FAILED)

    def retry_now(self, webhook_id: Optional[str] = None) -> None:
        """Makes due at once what waits for its next attempt, of one webhook or of all."""
        self.library.call(self.library.retry_now, self.pointer, None if webhook_id is None else _id(webhook_id))

    def stats(self) -> Dict[str, Any]:
        """Counters and gauges of the engine and each webhook."""
        out = ctypes.c_void_p()
        code = self.library.stats_json(self.pointer, ctypes.byref(out))
        if code != OK:
            raise self.library.error_of(code, None)
        document: Dict[str, Any] = json.loads(self.library.take_text(out))
        return document

    # ---- API keys

    def key_create(self, name: str, grant: str = "modify", subaccount: Optional[int] = None) -> Dict[str, Any]:
        """Makes an API key; what is returned has it as "key", the only time it is shown."""
        return self._object(self.library.key_create, to_bytes(name, "name"), grant_value(grant),
                            subaccount_value(subaccount))

    def key_put(self, name: str, key: str, grant: str = "modify", subaccount: Optional[int] = None) -> Dict[str, Any]:
        """Likewise for a key that the host made."""
        return self._object(self.library.key_put, to_bytes(name, "name"), to_bytes(key, "key"), grant_value(grant),
                            subaccount_value(subaccount))

    def key_list(self) -> List[Dict[str, Any]]:
        return self._array(self.library.key_list)

    def key_revoke(self, key_id: str) -> None:
        self.library.call(self.library.key_revoke, self.pointer, _id(key_id))

    # ---- Reports

    def fileno(self) -> int:
        """A descriptor for select and the like, readable when reports wait; read it, then pull all. -1 before start."""
        found: int = self.library.report_fd(self.pointer)
        return found

    def _pull(self, timeout_ms: int) -> Optional[Report]:
        """The oldest report that is not a line for the logger."""
        out = ctypes.c_void_p()
        while True:
            code = self.library.poll(self.pointer, timeout_ms, ctypes.byref(out))
            if is_empty(code):
                return None
            if code != OK:
                raise self.library.error_of(code, None)
            report = take_report(self.library, out)
            if report.kind != "log" or self.logger is None:
                return report
            log_report(self.logger, report)

    # ---- Spool

    def waiting_list(self, *, after: int = 0, limit: int = 0,
                     **settings: Union[str, int, None]) -> List[Dict[str, Any]]:
        """Batches that are sealed and not over, by order of sealing; one page. Filters: webhook_id, batch_id, from_ms,
        before_ms."""
        return self._page(self.library.waiting_list, after, limit, settings)

    def waiting_find(self, batch_id: str) -> Dict[str, Any]:
        return self._object(self.library.waiting_find, _id(batch_id))

    def dead_letter_list(self, *, after: int = 0, limit: int = 0,
                         **settings: Union[str, int, None]) -> List[Dict[str, Any]]:
        """Batches that were given up and kept. Filters: as waiting_list, and status."""
        return self._page(self.library.dead_letter_list, after, limit, settings)

    def dead_letter_find(self, batch_id: str) -> Dict[str, Any]:
        return self._object(self.library.dead_letter_find, _id(batch_id))

    def batch_export(self, batch_id: str, write: Callable[[bytes], object]) -> int:
        """Gives the events of a waiting batch or a dead letter as NDJSON to `write`, piece by piece, and returns how
        many they were. What `write` raises ends it and comes out."""
        # A daemon thread that meets the end of the interpreter inside a callback would be unwound through the
        # library's frames, which ends the process: there a thread that the interpreter waits for makes the call.
        if not threading.current_thread().daemon:
            return self._export(batch_id, write)
        found: List[Union[int, BaseException]] = []

        def export() -> None:
            try:
                found.append(self._export(batch_id, write))
            except BaseException as error:  # comes out on the caller's thread
                found.append(error)

        helper = threading.Thread(target=export, name="posthaste-export", daemon=False)
        helper.start()
        helper.join()
        if isinstance(found[0], BaseException):
            raise found[0]
        return found[0]

    def batch_records(self, batch_id: str) -> Iterator[Dict[str, Any]]:
        """Likewise as an iterator over the records {"msys": {"<class>": {...}}}, in bounded memory."""
        with tempfile.SpooledTemporaryFile(max_size=1 << 20) as lines:
            self.batch_export(batch_id, lines.write)
            lines.seek(0)
            for line in lines:
                yield json.loads(line)

    def _export(self, batch_id: str, write: Callable[[bytes], object]) -> int:
        raised: List[BaseException] = []

        def take(data: int, size: int, _user_data: Optional[int]) -> int:
            try:
                write(ctypes.string_at(data, size))
            except BaseException as error:  # no exception may pass the library's frames
                raised.append(error)
            return len(raised)

        library, events, error = self.library, ctypes.c_uint64(), self.library.error_new()
        try:
            code = library.batch_export(self.pointer, _id(batch_id), ctypes.byref(events), error,
                                        posthaste_write_fn(take), None)
            if raised:
                raise raised[0]
            if code != OK:
                raise library.error_of(code, error)
            return events.value
        finally:
            library.error_free(error)

    # ---- The long forms, which the engines call each in its way

    def _replay(self, timeout_ms: int, settings: Mapping[str, Union[str, int, None]]) -> int:
        return self._dead_letters(self.library.dead_letter_replay, timeout_ms, settings)

    def _remove_dead(self, timeout_ms: int, settings: Mapping[str, Union[str, int, None]]) -> int:
        return self._dead_letters(self.library.dead_letter_remove, timeout_ms, settings)

    def _purge(self, webhook_id: str, timeout_ms: int) -> Tuple[int, int]:
        batches, events = ctypes.c_uint64(), ctypes.c_uint64()
        self.library.call(self.library.purge, self.pointer, _id(webhook_id), timeout_ms, ctypes.byref(batches),
                          ctypes.byref(events))
        return batches.value, events.value

    def _spool_check(self, timeout_ms: int) -> List[str]:
        return self._array(self.library.spool_check, timeout_ms)

    def _dead_letters(self, function: Callable[..., int], timeout_ms: int,
                      settings: Mapping[str, Union[str, int, None]]) -> int:
        count = ctypes.c_uint64()
        with Filter(self, settings) as chosen:
            self.library.call(function, self.pointer, chosen, timeout_ms, ctypes.byref(count))
        return count.value

    def _ticket(self, function: Callable[..., int], *arguments: Any) -> int:
        """Calls a ticket form and gives the ticket."""
        out = ctypes.c_uint64()
        self.library.call(function, self.pointer, *arguments, ctypes.byref(out))
        return out.value

    def _page(self, function: Callable[..., int], after: int, limit: int,
              settings: Mapping[str, Union[str, int, None]]) -> List[Dict[str, Any]]:
        with Filter(self, settings) as chosen:
            return self._array(function, chosen, after, _count(limit))

    def _object(self, function: Callable[..., int], *arguments: Any) -> Dict[str, Any]:
        """Calls a function whose last arguments are a JSON text and the error object."""
        document: Dict[str, Any] = json.loads(self.library.text_out(function, self.pointer, *arguments))
        return document

    def _array(self, function: Callable[..., int], *arguments: Any) -> List[Any]:
        document: List[Any] = json.loads(self.library.text_out(function, self.pointer, *arguments))
        return document


def _id(value: str) -> bytes:
    return to_bytes(value, "id")


def _count(value: int) -> int:
    if value < 0:
        raise ValueError(f"a limit of {value}")
    return value
