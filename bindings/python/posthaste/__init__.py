"""Posthaste: mail event webhooks from Python.

Engine for programs of threads, AsyncEngine for asyncio, Producer for processes that do not deliver, wsgi.Application for
the REST API. The manual is docs/python.md.
"""

from typing import Any, Dict, List

from ._core import Payload, Pushed, describe as _describe
from ._library import main_library as _main_library, text as _text
from ._registry import WebhookLike
from ._version import VERSION as __version__
from .aio import AsyncEngine
from .engine import Engine, Producer
from .errors import (BadEvents, BadField, BadFile, BadHeader, BadJson, BadTarget, BadUtf8, BadValue, ConfigurationError,
                     DuplicateKey, Empty, EventError, Exists, Forked, Internal, Invalid, LibraryNotFound, MissingField,
                     NoMemory, NotChangeable, NotFound, PosthasteError, QueueFull, RegistryError, SpoolError, SpoolFull,
                     SpoolIo, State, System, TimedOut, TlsBackend, TooDeep, TooLarge, TypeMismatch, UnknownKey,
                     UnknownType, Unsupported, VerifyFailed, error_name)
from .event import Event
from .report import Report
from .rest import Request, Response
from .values import Settings, Value
from .webhook import Webhook


def library_version() -> str:
    """The version of the shared library, such as "0.1.0"."""
    return _text(_main_library().version())


def library_path() -> str:
    """Which shared library was loaded."""
    return _main_library().path


def describe(key: str) -> Dict[str, Any]:
    """One configuration key: type, range, default, unit, when it may change. Raises UnknownKey, by which a host probes an
    older library."""
    found: Dict[str, Any] = _describe(_main_library(), key)
    return found


def describe_all() -> List[Dict[str, Any]]:
    """All configuration keys."""
    found: List[Dict[str, Any]] = _describe(_main_library(), None)
    return found


__all__ = [
    "AsyncEngine", "BadEvents", "BadField", "BadFile", "BadHeader", "BadJson", "BadTarget", "BadUtf8", "BadValue",
    "ConfigurationError", "DuplicateKey", "Empty", "Engine", "Event", "EventError", "Exists", "Forked", "Internal",
    "Invalid", "LibraryNotFound", "MissingField", "NoMemory", "NotChangeable", "NotFound", "Payload", "PosthasteError",
    "Producer", "Pushed", "QueueFull", "RegistryError", "Report", "Request", "Response", "Settings", "SpoolError",
    "SpoolFull", "SpoolIo", "State", "System", "TimedOut", "TlsBackend", "TooDeep", "TooLarge", "TypeMismatch",
    "UnknownKey", "UnknownType", "Unsupported", "Value", "VerifyFailed", "Webhook", "WebhookLike", "__version__",
    "describe", "describe_all", "error_name", "library_path", "library_version",
]
