"""Finds and loads the shared library, and calls it. Everything else of the package goes through Library; nobody else
uses ctypes.CDLL. It is loaded when it is first needed, so that importing the package costs and can go wrong little.

The library that a wheel carries comes first, then what POSTHASTE_LIBRARY (for producers POSTHASTE_PRODUCER_LIBRARY)
names, then the system's by its soname.
"""

import ctypes
import functools
import math
import os
import sys
from pathlib import Path
from typing import Any, Callable, List, Optional, Tuple

from ._declarations import E_EMPTY, FUNCTIONS, OK
from .errors import LibraryNotFound, Unsupported, error_class, verify_failure

CARRIED = Path(__file__).parent / "lib"
_INT32_MAX = 2**31 - 1
_SIZE = ctypes.c_size_t


class Library:
    """One loaded shared library.

    Purpose: its functions as attributes without their prefix, bound when first used. Ownership: lives as long as the
    process, as the shared object does. Threads: any. Invariants: a function that this library does not have raises
    Unsupported when it is called, which is how libposthaste_producer and older libraries are told.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._shared = ctypes.CDLL(path)
        # libposthaste_producer makes handles of the same types.
        if not hasattr(self._shared, "posthaste_version"):
            raise OSError(f"{path}: not a Posthaste library")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            result, arguments = FUNCTIONS["posthaste_" + name]
        except KeyError:
            raise AttributeError(name) from None
        function: Callable[..., Any]
        try:
            bound = getattr(self._shared, "posthaste_" + name)
        except AttributeError:
            function = functools.partial(_absent, name, self.path)
        else:
            bound.restype, bound.argtypes = result, arguments
            function = bound
        setattr(self, name, function)
        return function

    def call(self, function: Callable[..., int], *arguments: Any) -> None:
        """Calls a function whose last argument is the error object, and raises what it says. An error object of its own
        for each call: a signal handler or a finalizer may call the library in between."""
        error = self.error_new()
        try:
            code = function(*arguments, error)
            if code != OK:
                raise self.error_of(code, error)
        finally:
            self.error_free(error)

    def error_of(self, code: int, error: Optional[int]) -> Exception:
        """The exception for a code and what the error object says about it."""
        message = text(self.error_message(error)) if error else ""
        if not message:
            message = text(self.strerror(code))
        key = text(self.error_key(error)) if error else ""
        phase = self.error_phase(error) if error else 0
        if not phase:
            return error_class(code)(message, code, key)
        size = _SIZE()
        body = self.error_body(error, ctypes.byref(size))
        headers = [(text(self.error_header_name(error, i)), text(self.error_header_value(error, i)))
                   for i in range(self.error_header_count(error))]
        return verify_failure(message, code, key, phase, text(self.error_network_name(error)),
                              self.error_status(error), headers, ctypes.string_at(body, size.value))

    def text_out(self, function: Callable[..., int], *arguments: Any) -> bytes:
        """Calls a function whose last arguments are a text to return and the error object."""
        out = ctypes.c_void_p()
        self.call(function, *arguments, ctypes.byref(out))
        return self.take_text(out)

    def take_text(self, out: ctypes.c_void_p) -> bytes:
        try:
            return ctypes.string_at(self.text_data(out), self.text_size(out))
        finally:
            self.text_free(out)


def _absent(name: str, path: str, *_arguments: Any) -> Any:
    raise Unsupported(f"posthaste_{name} is not in {Path(path).name}")


def _load(name: str, variable: str) -> Library:
    carried = CARRIED / f"lib{name}.so.0"
    named = os.environ.get(variable)
    path = str(carried) if carried.exists() else named or f"lib{name}.so.0"
    try:
        return Library(path)
    except OSError as error:
        raise LibraryNotFound(f"{error}; install libposthaste, or set {variable} to the shared library") from error


@functools.lru_cache(maxsize=None)
def main_library() -> Library:
    """libposthaste."""
    return _load("posthaste", "POSTHASTE_LIBRARY")


@functools.lru_cache(maxsize=None)
def producer_library() -> Library:
    """libposthaste_producer, or libposthaste, which can do the same, where that is not there."""
    try:
        return _load("posthaste_producer", "POSTHASTE_PRODUCER_LIBRARY")
    except LibraryNotFound:
        return main_library()


class Handle:
    """An object of the library that is freed with its Python object.

    Purpose: what Webhook, Event and the engines have in common. Ownership: owns the object behind `pointer`. Threads:
    as the object. Invariants: freed once, and not while the interpreter ends, when the process' memory goes anyway.
    """

    pointer: Optional[int] = None
    free: Callable[[Optional[int]], None]

    def __init__(self, library: Library, pointer: Optional[int], free: Callable[[Optional[int]], None]) -> None:
        if not pointer:
            raise MemoryError("out of memory")
        self.library = library
        self.pointer = pointer
        # What ctypes passes for this object, which the arguments of the call keep alive.
        self._as_parameter_ = pointer
        self.free = free

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        pointer, self.pointer = self.pointer, None
        if pointer and not is_finalizing():
            self.free(pointer)

    def __reduce__(self) -> Tuple[Any, ...]:
        raise TypeError(f"a {type(self).__name__} cannot be pickled: it stands for an object of this process")


def text(value: Optional[bytes]) -> str:
    """A text of the library."""
    return value.decode("utf-8", "replace") if value else ""


def to_bytes(value: str, what: str) -> bytes:
    """A text for the library, which ends with NUL there."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be str, not {type(value).__name__}")
    if "\0" in value:
        raise ValueError(f"{what} holds a NUL character")
    return value.encode()


def to_ms(timeout: Optional[float]) -> int:
    """Seconds as the library takes them; None waits without limit."""
    if timeout is None:
        return -1
    if not timeout >= 0:
        raise ValueError(f"a timeout of {timeout} seconds")
    return _INT32_MAX if timeout * 1000 > _INT32_MAX else math.ceil(timeout * 1000)


def is_empty(code: int) -> bool:
    return code == E_EMPTY


__all__: List[str] = ["Handle", "Library", "is_empty", "main_library", "producer_library", "text", "to_bytes", "to_ms"]
