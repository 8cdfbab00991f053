"""The REST API from Python: api_handle, and the WSGI application behind a real server."""

import http.client
import json
import threading
import unittest
from typing import Any, Dict, Optional, Tuple
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import shift_path_info
from wsgiref.validate import validator

import posthaste
from binding_case import BindingCase
from posthaste import wsgi

KEY = "k" * 24


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Says nothing on stderr."""


class Handle(BindingCase):
    def test_a_request_of_an_identified_caller_is_answered(self) -> None:
        engine = self.engine()
        engine.put("a", {"name": "one", "target": "http://127.0.0.1:1/", "events": "*"})
        response = engine.api_handle(posthaste.Request("GET", "/api/v1/webhooks/a", grant="view"))
        self.assertEqual(response.status, 200)
        self.assertIn(("Content-Type", "application/json"), response.headers)
        self.assertEqual(json.loads(response.body)["results"]["name"], "one")
        made = engine.api_handle(posthaste.Request(
            "POST", "/api/v1/webhooks", [("Content-Type", "application/json")], b'{"name":', peer="127.0.0.1",
            scheme="https", grant="modify"))
        self.assertEqual(made.status, 400)
        refused = engine.api_handle(posthaste.Request("DELETE", "/api/v1/webhooks/a", grant="view"))
        self.assertEqual(refused.status, 403)
        subaccount = engine.api_handle(posthaste.Request("GET", "/api/v1/webhooks", grant="view", subaccount=3))
        self.assertEqual(json.loads(subaccount.body)["results"], [])

    def test_a_key_is_asked_for_without_identity(self) -> None:
        engine = self.engine()
        self.assertEqual(engine.api_handle(posthaste.Request("GET", "/api/v1/webhooks")).status, 401)
        engine.key_put("own", KEY, "view")
        self.assertEqual(engine.api_handle(
            posthaste.Request("GET", "/api/v1/webhooks", [("Authorization", KEY)])).status, 200)

    def test_before_start_and_after_close_the_answer_is_503(self) -> None:
        engine = posthaste.Engine()
        self.assertEqual(engine.api_handle(posthaste.Request("GET", "/api/v1/webhooks")).status, 503)

    def test_wrong_requests_never_reach_the_library(self) -> None:
        engine = self.engine()
        wrong: Any = 5
        self.raised(ValueError, engine.api_handle, posthaste.Request("GET", "/a\0b"))
        self.raised(ValueError, engine.api_handle, posthaste.Request("GET", "/", [("A", "b\0c")]))
        self.raised(ValueError, engine.api_handle, posthaste.Request("GET", "/", grant="own"))
        self.raised(TypeError, engine.api_handle, posthaste.Request(wrong, "/"))
        self.raised(posthaste.BadValue, engine.api_handle, posthaste.Request("GET", "/", scheme="gopher"))


class Wsgi(BindingCase):
    def serve(self, application: Any) -> int:
        server = make_server("127.0.0.1", 0, validator(application), handler_class=Quiet)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return int(server.server_port)

    def ask(self, port: int, method: str, target: str, body: Optional[bytes] = None, **headers: str
            ) -> Tuple[int, Dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request(method, target, body, {"Authorization": KEY, **headers})
            response = connection.getresponse()
            content = response.read()
            return response.status, dict(response.getheaders()), json.loads(content) if content else None
        finally:
            connection.close()

    def test_a_webhook_lives_its_life_over_http(self) -> None:
        receiver = self.receiver()
        engine = self.engine()
        engine.key_put("own", KEY)
        port = self.serve(wsgi.Application(engine))
        body = json.dumps({"name": "ä", "target": receiver.url, "events": ["delivery"]}).encode()
        status, headers, made = self.ask(port, "POST", "/api/v1/webhooks", body, **{"Content-Type": "application/json"})
        self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
        link = made["results"]["links"][0]["href"]
        self.assertTrue(link.startswith(f"http://127.0.0.1:{port}/api/v1/webhooks/"), link)
        path = link[link.index("/api"):]
        self.assertEqual(self.ask(port, "GET", path + "?timezone=UTC")[2]["results"]["name"], "ä")
        self.assertEqual(self.ask(port, "GET", "/api/v1/webhooks/%C3%A4")[0], 404)
        self.assertEqual(self.ask(port, "DELETE", path)[0], 204)
        self.assertEqual(self.ask(port, "GET", path)[0], 404)
        self.assertEqual(self.ask(port, "GET", "/api/v1/webhooks", Authorization="none")[0], 401)

    def test_it_is_mounted_below_a_path(self) -> None:
        engine = self.engine()
        engine.key_put("own", KEY)
        application = wsgi.Application(engine)

        def site(environ: Dict[str, Any], start_response: Any) -> Any:
            if shift_path_info(environ) == "hooks":
                return application(environ, start_response)
            start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "0")])
            return [b""]

        port = self.serve(site)
        self.assertEqual(self.ask(port, "GET", "/hooks/api/v1/webhooks")[2], {"results": []})

    def test_a_body_beyond_the_limit_is_refused_unread(self) -> None:
        port = self.serve(wsgi.Application(self.engine()))
        with self.assertRaises((AssertionError, OSError)):
            status = self.ask(port, "POST", "/api/v1/webhooks", b"x" * (16 * 1024 * 1024 + 1))[0]
            self.assertNotEqual(status, 413)


if __name__ == "__main__":
    unittest.main()
