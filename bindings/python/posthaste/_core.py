"""What all engines share: making and starting one, and pushing events. Engine, Producer and AsyncEngine are made of it;
nobody else uses it."""

import ctypes
import json
import logging
import sys
import warnings
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Union

from ._declarations import E_STATE, OK
from ._library import Handle, Library, text, to_bytes
from .errors import error_class
from .event import Event
from .report import log_level_name
from .values import Settings, Value, event_json, flat, value_text

# An event: a mapping, which the json module serializes, or its JSON as it is.
Payload = Union[Mapping[str, Any], bytes, str, bytearray, memoryview]

_NAMES_MAX = 256
# posthaste_push answers one of these for the payload itself: posthaste_check knows more.
_EXPLAINED = range(300, 400)


class Pushed(NamedTuple):
    """What push_many did: how many bytes of the lines are done, where to go on, and POSTHASTE_E_* for each line that
    was judged."""

    consumed: int
    codes: List[int]


class _Names(Dict[Optional[str], Optional[bytes]]):
    """Event types as the library takes them; checked and encoded once. Bounded, since a host may ask for anything."""

    def __missing__(self, event_type: Optional[str]) -> Optional[bytes]:
        if event_type is None:
            return None
        name = to_bytes(event_type, "event_type")
        if len(self) < _NAMES_MAX:
            self[event_type] = name
        return name


def log_settings(settings: Settings, logger: Optional[logging.Logger]) -> Settings:
    """The settings with which the library's log comes as reports, as far as the logger takes it."""
    if logger is None or "log.reports" in settings or settings.get("role") == "producer":
        return settings
    level = log_level_name(logger)
    added = {"log.reports": level}
    if level == "debug":
        added["log.level"] = level
    return {**added, **settings}


class Core(Handle):
    """An engine's life and its events.

    Purpose: base of the public engines. Ownership: owns the library's engine, which is freed with it; a started one that
    is freed without close gives a ResourceWarning. Threads: any, at once. Invariants: the engine is freed only when no
    thread is in a call on it, since each call holds its Python object.
    """

    def __init__(self, settings: Optional[Settings], library: Library) -> None:
        self._is_open = False
        self._names = _Names()
        out = ctypes.c_void_p()
        conf = library.conf_new()
        try:
            for key, value in flat(settings or {}):
                library.call(library.conf_set, conf, key, value)
            library.call(library.new, conf, ctypes.byref(out))
        finally:
            library.conf_free(conf)
        super().__init__(library, out.value, library.free)
        self._push = library.push

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing,
                warn: Callable[..., None] = warnings.warn) -> None:
        if getattr(self, "_is_open", False) and not is_finalizing():
            warn(f"{type(self).__name__} was not closed", ResourceWarning, source=self, stacklevel=2)
        super().__del__(is_finalizing)

    def _start(self) -> None:
        self.library.call(self.library.start, self.pointer)
        self._is_open = True

    # ---- Configuration

    def set(self, key: str, value: Value) -> None:
        """Changes a live key of a running engine."""
        self.library.call(self.library.set, self.pointer, to_bytes(key, "key"), value_text(key, value))

    def get(self, key: str) -> str:
        """A key of the engine's configuration, a secret as ****."""
        return text(self.library.text_out(self.library.get, self.pointer, to_bytes(key, "key")))

    def define_type(self, event_type: str, event_class: str) -> None:
        """Defines a further event type, before start."""
        self.library.call(self.library.define_type, self.pointer, to_bytes(event_type, "event_type"),
                          to_bytes(event_class, "event_class"))

    # ---- Events

    def wants(self, event_type: Optional[str] = None) -> bool:
        """Whether some webhook wants this type (None: any type)."""
        return bool(self.library.wants(self.pointer, self._names[event_type]))

    def push(self, event_type: Optional[str], event: Payload) -> None:
        """Pushes one event; never waits for network or disk.

        event_type: a type's name, or None for that of the payload's "type". event: a mapping, which is serialized only
        when some webhook wants the type; or JSON in bytes or str. What is missing of type, timestamp and event_id is
        added. Raises QueueFull when there is no room now, an EventError for an event that is wrong, TypeError and
        ValueError of the json module for what JSON cannot say.
        """
        payload = event if isinstance(event, bytes) else self._payload(event_type, event)
        if payload is None:
            return
        code = self._push(self.pointer, self._names[event_type], payload, len(payload))
        if code:
            self._refuse(code, event_type, payload)

    def push_trusted(self, event_type: str, event: Payload) -> None:
        """Likewise for JSON known to be right and to have type, timestamp and event_id: it is not read."""
        payload = event if isinstance(event, bytes) else self._payload(event_type, event)
        if payload is None:
            return
        name = to_bytes(event_type, "event_type")
        code = self.library.push_trusted(self.pointer, name, payload, len(payload))
        if code:
            raise error_class(code)(text(self.library.strerror(code)), code)

    def push_enveloped(self, record: Payload) -> None:
        """Likewise for a whole record {"msys": {"<class>": {...}}}, such as batch_records gives."""
        content = _content(record)
        code = self.library.push_enveloped(self.pointer, content, len(content))
        if code:
            raise error_class(code)(text(self.library.strerror(code)), code)

    def push_many(self, event_type: Optional[str], lines: Union[bytes, Iterable[Payload]]) -> Pushed:
        """Pushes many events with one call: NDJSON in bytes, or events. Each is judged alone; it stops before the first
        that is answered E_QUEUE_FULL or E_SPOOL_*, whose code is not among the codes."""
        content = lines if isinstance(lines, bytes) else b"\n".join(map(_line, lines))
        count = content.count(b"\n") + 1
        codes = (ctypes.c_int32 * count)(*([-1] * count))
        consumed = ctypes.c_size_t()
        code = self.library.push_many(self.pointer, self._names[event_type], content, len(content),
                                      ctypes.byref(consumed), codes, count)
        judged = [value for value in codes if value >= 0]
        if code and not consumed.value and not judged:
            raise error_class(code)(text(self.library.strerror(code)), code)
        return Pushed(consumed.value, judged)

    def push_event(self, event: Event) -> None:
        """Pushes what a builder holds; it is not altered."""
        if event.library is not self.library:
            raise ValueError("the event was made by another library; make it with new_event")
        code = self.library.push_event(self.pointer, event.pointer)
        if code:
            event.check()
            raise error_class(code)(text(self.library.strerror(code)), code)

    def new_event(self, event_type: str) -> Event:
        """A builder for push_event."""
        return Event(event_type, self.library)

    def check(self, event_type: Optional[str], event: Payload) -> None:
        """Judges an event as push would, queues nothing, and raises what is wrong with it."""
        content = _content(event)
        self.library.call(self.library.check, self.pointer, self._names[event_type], content, len(content))

    def _payload(self, event_type: Optional[str], event: Payload) -> Optional[bytes]:
        """The event's bytes; None when it is a mapping that nobody wants."""
        # dict first: asking an abstract class takes longer.
        if not isinstance(event, (dict, Mapping)):
            return _content(event)
        wanted = event.get("type") if event_type is None else event_type
        if not isinstance(wanted, str) or self.library.wants(self.pointer, self._names[wanted]):
            return event_json(event)
        # What does not depend on the event's fields is judged all the same.
        code = self.library.check(self.pointer, self._names[wanted], b"{}", 2, None) if self._is_open else E_STATE
        if code != OK:
            self._refuse(code, wanted, b"{}")
        return None

    def _refuse(self, code: int, event_type: Optional[str], payload: bytes) -> None:
        if code in _EXPLAINED:
            self.library.call(self.library.check, self.pointer, self._names[event_type], payload, len(payload))
        raise error_class(code)(text(self.library.strerror(code)), code)


def _content(event: Payload) -> bytes:
    """JSON as bytes."""
    if isinstance(event, bytes):
        return event
    if isinstance(event, str):
        return event.encode()
    if isinstance(event, (bytearray, memoryview)):
        return bytes(event)
    if isinstance(event, Mapping):
        return event_json(event)
    raise TypeError(f"an event is a mapping, bytes or str, not {type(event).__name__}")


def _line(event: Payload) -> bytes:
    """JSON without a line feed, which between the tokens of JSON is a blank."""
    return _content(event).replace(b"\n", b" ")


def describe(library: Library, key: Optional[str]) -> Any:
    """What posthaste_conf_describe says."""
    return json.loads(library.text_out(library.conf_describe, None if key is None else to_bytes(key, "key")))
