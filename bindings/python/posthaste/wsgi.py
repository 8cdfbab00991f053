"""The REST API as a WSGI application, for any Python web server or framework: posthaste.wsgi.Application(engine)."""

from http.client import responses
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Tuple
from urllib.parse import quote

from .engine import Engine
from .rest import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

# The handler's own limit (docs/rest-api.md).
_BODY_MAX = 16 * 1024 * 1024


class Application:
    """A WSGI application that answers by Engine.api_handle.

    Purpose: served alone, or mounted below a path: what is left of the path then is the API's (/api/v1/...). Ownership:
    refers to the engine, which the host starts and closes. Threads: any, at once. Invariants: keeps nothing of a
    request.

    timeout: how long a request may wait for a receiver, in seconds.
    """

    def __init__(self, engine: Engine, timeout: Optional[float] = 70.0) -> None:
        self.engine = engine
        self.timeout = timeout

    def __call__(self, environ: Dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        body = _body(environ)
        if body is None:
            response = Response(413, (("Content-Type", "application/json"),),
                                b'{"errors":[{"message":"the body is too large"}]}')
        else:
            response = self.engine.api_handle(_request(environ, body), self.timeout)
        headers = [*response.headers, ("Content-Length", str(len(response.body)))]
        start_response(f"{response.status} {responses.get(response.status, 'Unknown')}", headers)
        return [response.body]


def _body(environ: Dict[str, Any]) -> Optional[bytes]:
    """The request's body; None when it is too large."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdigit():
        length = "0"
    if int(length) > _BODY_MAX:
        return None
    content: bytes = environ["wsgi.input"].read(int(length)) if int(length) else b""
    return content


def _request(environ: Dict[str, Any], body: bytes) -> Request:
    headers: List[Tuple[str, str]] = [
        (name[5:].replace("_", "-").title(), value) for name, value in environ.items() if name.startswith("HTTP_")]
    if environ.get("CONTENT_TYPE"):
        headers.append(("Content-Type", environ["CONTENT_TYPE"]))
    # WSGI gives the path decoded, as bytes in Latin-1.
    target = quote(environ.get("PATH_INFO", "").encode("latin-1"), safe="/:@!$&'()*+,;=-._~") or "/"
    if environ.get("QUERY_STRING"):
        target += "?" + environ["QUERY_STRING"]
    return Request(environ["REQUEST_METHOD"], target, headers, body, peer=environ.get("REMOTE_ADDR") or None,
                   scheme=environ.get("wsgi.url_scheme", "http"))
