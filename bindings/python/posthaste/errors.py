"""The exceptions: one class for each error code of the library, below PosthasteError and a class for each range of codes.
Where Python has an exception of its own for the same thing, the class is one of those, too.
"""

from typing import Dict, List, Tuple, Type

from . import _declarations
from ._declarations import PHASE_CONNECT, PHASE_DNS, PHASE_HTTP, PHASE_TIMEOUT, PHASE_TLS

_NAMES: Dict[int, str] = {value: "POSTHASTE_" + name for name, value in vars(_declarations).items()
                          if name.startswith("E_") or name == "OK"}
_PHASES = {PHASE_DNS: "dns", PHASE_CONNECT: "connect", PHASE_TLS: "tls", PHASE_TIMEOUT: "timeout", PHASE_HTTP: "http"}


def error_name(code: int) -> str:
    """The constant's name, such as "POSTHASTE_E_BAD_JSON"; "POSTHASTE_E_?" for an unknown code."""
    return _NAMES.get(code, "POSTHASTE_E_?")


class LibraryNotFound(ImportError):
    """No shared library of Posthaste could be loaded."""


class PosthasteError(Exception):
    """What a call of the library was refused for. str() is one line that names the culprit.

    code: POSTHASTE_E_*; name: that constant's name; key: the offending key, field or header, else "".
    """

    def __init__(self, message: str, code: int = 0, key: str = "") -> None:
        # All of them, so that copies and pickles are whole.
        super().__init__(message, code, key)
        self.message = message
        self.code = code or _CODES.get(type(self), 0)
        self.key = key

    @property
    def name(self) -> str:
        return error_name(self.code)

    def __str__(self) -> str:
        return self.message


class ConfigurationError(PosthasteError):
    """Codes 100 to 199."""


class RegistryError(PosthasteError):
    """Codes 200 to 299: webhooks."""


class EventError(PosthasteError):
    """Codes 300 to 399: events that are not taken, however often they are pushed."""


class SpoolError(PosthasteError):
    """Codes 400 to 499: durable mode cannot write."""


class Invalid(PosthasteError, ValueError):
    """An argument out of range."""


class State(PosthasteError):
    """Not possible in this state: not started, closed, memory mode."""


class Forked(State):
    """The engine was started in the parent of this process."""


class NoMemory(PosthasteError, MemoryError):
    """Out of memory; nothing was changed."""


class TimedOut(PosthasteError, TimeoutError):
    """The time-out passed; what was begun goes on."""


class Empty(PosthasteError):
    """No report waits. Engine.poll returns None instead."""


class QueueFull(PosthasteError):
    """The intake, or the table of tickets, is full; try again later."""


class Internal(PosthasteError):
    """A bug of the library."""


class System(PosthasteError):
    """The operating system refused: a thread, a pipe, a file."""


class TlsBackend(PosthasteError):
    """libcurl was built with a TLS library other than OpenSSL."""


class Unsupported(PosthasteError, NotImplementedError):
    """Known, but not in this build of the library."""


class UnknownKey(ConfigurationError, LookupError):
    """No such configuration key."""


class BadValue(ConfigurationError, ValueError):
    """The value does not parse or is out of range."""


class NotChangeable(ConfigurationError):
    """The key cannot change on a running engine."""


class NotFound(RegistryError, LookupError):
    """No webhook, batch or key with this id."""


class Exists(RegistryError):
    """There is one already."""


class VerifyFailed(RegistryError):
    """The test POST was not answered as it must be.

    phase: how far it came, "dns", "connect", "tls", "timeout" or "http"; network_name: such as "ECONNREFUSED", "" when
    there was an answer; status: its HTTP status, else 0; headers and body: what came with it, at most 4 KiB of body.
    """

    def __init__(self, message: str, code: int = 0, key: str = "", phase: str = "", network_name: str = "",
                 status: int = 0, headers: Tuple[Tuple[str, str], ...] = (), body: bytes = b"") -> None:
        super().__init__(message, code, key)
        self.args = (message, code, key, phase, network_name, status, headers, body)
        self.phase = phase
        self.network_name = network_name
        self.status = status
        self.headers = headers
        self.body = body


class BadTarget(RegistryError, ValueError):
    """The target is not an http or https URL that can be used."""


class BadEvents(RegistryError, ValueError):
    """The event list is empty or names an unknown type."""


class BadHeader(RegistryError, ValueError):
    """A custom header is reserved, malformed, one too many or too large."""


class MissingField(RegistryError, ValueError):
    """A webhook needs name, target and events."""


class BadFile(RegistryError):
    """A webhooks file cannot be read or understood."""


class BadJson(EventError, ValueError):
    """Not exactly one JSON object."""


class BadUtf8(EventError, ValueError):
    """Ill-formed UTF-8, or an escaped lone surrogate."""


class UnknownType(EventError, ValueError):
    """No such event type, or none given."""


class TypeMismatch(EventError, ValueError):
    """The payload's type or class is that of another event."""


class TooLarge(EventError, ValueError):
    """Larger than event.max_bytes."""


class TooDeep(EventError, ValueError):
    """Nested deeper than 64."""


class DuplicateKey(EventError, ValueError):
    """The same key twice in one object."""


class BadField(EventError, ValueError):
    """A field's value cannot be written in the field's wire type."""


class SpoolFull(SpoolError):
    """The spool has no room."""


class SpoolIo(SpoolError):
    """The disk failed."""


_CLASSES: Dict[int, Type[PosthasteError]] = {
    getattr(_declarations, name): kind for name, kind in {
        "E_INVALID": Invalid, "E_STATE": State, "E_FORKED": Forked, "E_NO_MEMORY": NoMemory, "E_TIMEOUT": TimedOut,
        "E_EMPTY": Empty, "E_QUEUE_FULL": QueueFull, "E_INTERNAL": Internal, "E_SYSTEM": System,
        "E_TLS_BACKEND": TlsBackend, "E_UNSUPPORTED": Unsupported, "E_UNKNOWN_KEY": UnknownKey,
        "E_BAD_VALUE": BadValue, "E_NOT_CHANGEABLE": NotChangeable, "E_NOT_FOUND": NotFound, "E_EXISTS": Exists,
        "E_VERIFY_FAILED": VerifyFailed, "E_BAD_TARGET": BadTarget, "E_BAD_EVENTS": BadEvents,
        "E_BAD_HEADER": BadHeader, "E_MISSING_FIELD": MissingField, "E_BAD_FILE": BadFile, "E_BAD_JSON": BadJson,
        "E_BAD_UTF8": BadUtf8, "E_UNKNOWN_TYPE": UnknownType, "E_TYPE_MISMATCH": TypeMismatch,
        "E_TOO_LARGE": TooLarge, "E_TOO_DEEP": TooDeep, "E_DUPLICATE_KEY": DuplicateKey, "E_BAD_FIELD": BadField,
        "E_SPOOL_FULL": SpoolFull, "E_SPOOL_IO": SpoolIo}.items()}
_CODES: Dict[type, int] = {kind: code for code, kind in _CLASSES.items()}
_RANGES: Tuple[Tuple[int, Type[PosthasteError]], ...] = (
    (400, SpoolError), (300, EventError), (200, RegistryError), (100, ConfigurationError), (0, PosthasteError))


def error_class(code: int) -> Type[PosthasteError]:
    """The class of a code; of one that a newer library has, that of its range."""
    return _CLASSES.get(code) or next(kind for first, kind in _RANGES if code >= first or first == 0)


def verify_failure(message: str, code: int, key: str, phase: int, network_name: str, status: int,
                   headers: List[Tuple[str, str]], body: bytes) -> VerifyFailed:
    """The exception of a failed verification; phase is POSTHASTE_PHASE_*."""
    return VerifyFailed(message, code, key, _PHASES.get(phase, "?"), network_name, status, tuple(headers), body)
