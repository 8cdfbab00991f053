"""Requests and answers of the REST API, without their connections."""

import ctypes
from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

from ._declarations import GRANT_MODIFY, GRANT_VIEW
from ._library import Library, text, to_bytes

_GRANTS = {"view": GRANT_VIEW, "modify": GRANT_MODIFY}


def grant_value(grant: str) -> int:
    """POSTHASTE_GRANT_* of "view" or "modify"."""
    if grant not in _GRANTS:
        raise ValueError(f"a grant is view or modify, not {grant!r}")
    return _GRANTS[grant]


def subaccount_value(subaccount: Optional[int]) -> int:
    """None is all of them."""
    if subaccount is None:
        return -1
    if not 0 <= subaccount < 2**63:
        raise ValueError(f"a subaccount is a number from 0, not {subaccount}")
    return subaccount


@dataclass(frozen=True)
class Request:
    """One request to the REST API. target: path and query as in the request line; headers: pairs of name and value;
    peer: the client's address, by which failed attempts to log in are counted; scheme: what links begin with; grant:
    "view" or "modify" when the host has found out itself who asks (no API key is looked at then), for `subaccount`, or
    all with None."""

    method: str
    target: str
    headers: Sequence[Tuple[str, str]] = ()
    body: bytes = b""
    peer: Optional[str] = None
    scheme: str = "http"
    grant: Optional[str] = None
    subaccount: Optional[int] = None


@dataclass(frozen=True)
class Response:
    """The answer. Content-Length and Date are the server's to add."""

    status: int
    headers: Tuple[Tuple[str, str], ...]
    body: bytes


def _header(value: str) -> bytes:
    """A header's value as it came over the wire, which WSGI and others give as Latin-1."""
    if "\0" in value:
        raise ValueError("a header holds a NUL character")
    return value.encode("latin-1", "replace")


class RequestHandle:
    """A request of the library, for the length of a call: a context manager that gives its pointer."""

    def __init__(self, library: Library, request: Request) -> None:
        self._library = library
        self._request = request
        self._pointer: Optional[int] = None

    def __enter__(self) -> Optional[int]:
        request, library = self._request, self._library
        body = bytes(request.body)
        headers = [(to_bytes(name, "header"), _header(value)) for name, value in request.headers]
        self._pointer = library.request_new(to_bytes(request.method, "method"), to_bytes(request.target, "target"))
        if not self._pointer:
            raise MemoryError("out of memory")
        try:
            for name, value in headers:
                self._check(library.request_add_header(self._pointer, name, value))
            self._check(library.request_set_body(self._pointer, body, len(body)))
            self._check(library.request_set_scheme(self._pointer, to_bytes(request.scheme, "scheme")))
            if request.peer is not None:
                self._check(library.request_set_peer(self._pointer, to_bytes(request.peer, "peer")))
            if request.grant is not None:
                self._check(library.request_set_identity(
                    self._pointer, grant_value(request.grant), subaccount_value(request.subaccount)))
        except BaseException:
            self.__exit__()
            raise
        return self._pointer

    def __exit__(self, *_exception: object) -> None:
        self._library.request_free(self._pointer)
        self._pointer = None

    def _check(self, code: int) -> None:
        if code:
            raise self._library.error_of(code, None)


def take_response(library: Library, pointer: ctypes.c_void_p) -> Response:
    """Makes plain values of a response of the library and frees it."""
    try:
        size = ctypes.c_size_t()
        body = library.response_body(pointer, ctypes.byref(size))
        headers = tuple((text(library.response_header_name(pointer, i)), text(library.response_header_value(pointer, i)))
                        for i in range(library.response_header_count(pointer)))
        return Response(library.response_status(pointer), headers, ctypes.string_at(body, size.value))
    finally:
        library.response_free(pointer)
