"""What the library tells: the fate of batches, the ends of tickets, changes of state."""

import ctypes
import json
import logging
from dataclasses import dataclass, field
from typing import Dict, Optional

from ._declarations import LOG_DEBUG, LOG_ERROR, LOG_INFO, LOG_WARNING, OK
from ._library import Library
from .errors import PosthasteError
from .rest import Response, take_response

# POSTHASTE_LOG_* -> the logging module's levels.
LEVELS = {LOG_ERROR: logging.ERROR, LOG_WARNING: logging.WARNING, LOG_INFO: logging.INFO, LOG_DEBUG: logging.DEBUG}


@dataclass(frozen=True)
class Report:
    """One thing that happened.

    Purpose: what poll and reports give. Ownership: plain values, nothing of the engine. Threads: any. Invariants: none
    changes.

    kind: "delivered", "retrying", "dropped", "state", "ticket", "overflow", "log", "dead_lettered", "spool", "endpoint"
    or "limit". reached: "no", "maybe" or "yes". reason: of a drop, such as "expired", else "none". timing_us: "dns",
    "connect", "tls", "first_byte" and "total", from the start of the attempt. error: why a ticket failed. response: of
    an api_handle_ticket. Times are Unix time in milliseconds.
    """

    kind: str
    message: str = ""
    webhook_id: str = ""
    batch_id: str = ""
    ticket: int = 0
    code: int = OK
    reason: str = "none"
    reached: str = "no"
    status: int = 0
    network_name: str = ""
    attempts: int = 0
    events: int = 0
    count: int = 0
    bytes: int = 0
    time_ms: int = 0
    next_try_ms: int = 0
    level: int = 0
    timing_us: Dict[str, int] = field(default_factory=dict)
    error: Optional[PosthasteError] = None
    response: Optional[Response] = None


_FIELDS = frozenset(Report.__dataclass_fields__) - {"error", "response"}


def take_report(library: Library, pointer: ctypes.c_void_p) -> Report:
    """Makes plain values of a report of the library and frees it."""
    try:
        out = ctypes.c_void_p()
        code = library.report_json(pointer, ctypes.byref(out))
        if code:
            raise library.error_of(code, None)
        values = {key: value for key, value in json.loads(library.take_text(out)).items() if key in _FIELDS}
        if values["kind"] != "ticket":
            return Report(**values)
        if values["code"] == OK:
            found = ctypes.c_void_p()
            library.report_response(pointer, ctypes.byref(found))
            return Report(response=take_response(library, found) if found else None, **values)
        try:
            library.call(library.report_error, pointer)
        except PosthasteError as error:
            return Report(error=error, **values)
        return Report(**values)
    finally:
        library.report_free(pointer)


def log_report(logger: logging.Logger, report: Report) -> None:
    """Hands a line of the library's log to the logging module, on the thread that pulled it."""
    logger.log(LEVELS.get(report.level, logging.INFO), "%s", report.message)


def log_level_name(logger: logging.Logger) -> str:
    """The library's name for the least urgent level that the logger takes."""
    level = logger.getEffectiveLevel()
    names = ((logging.DEBUG, "debug"), (logging.INFO, "info"), (logging.WARNING, "warning"), (logging.ERROR, "error"))
    return next((name for limit, name in names if level <= limit), "off")
