"""Exceptions: a class for each code of the library, and what a failed verification tells."""

import copy
import pickle
import socket
import unittest

import posthaste
from binding_case import BindingCase
from posthaste import _declarations, errors

CODES = {name: value for name, value in vars(_declarations).items() if name.startswith("E_")}


class Errors(BindingCase):
    def test_each_code_of_the_header_has_a_class_of_its_own(self) -> None:
        classes = {}
        for name, code in CODES.items():
            error = errors.error_class(code)("what", code, "key")
            self.assertEqual((error.name, error.code, error.key, str(error)), ("POSTHASTE_" + name, code, "key", "what"))
            classes[type(error)] = name
        self.assertEqual(len(classes), len(CODES))
        for kind in classes:
            self.assertIs(getattr(posthaste, kind.__name__), kind)

    def test_classes_stand_below_the_class_of_their_range(self) -> None:
        ranges = {1: posthaste.ConfigurationError, 2: posthaste.RegistryError, 3: posthaste.EventError,
                  4: posthaste.SpoolError}
        for code in CODES.values():
            kind = errors.error_class(code)
            self.assertTrue(issubclass(kind, ranges.get(code // 100, posthaste.PosthasteError)))
            for hundred, other in ranges.items():
                self.assertEqual(issubclass(kind, other), code // 100 == hundred)

    def test_a_code_of_a_newer_library_gets_the_class_of_its_range(self) -> None:
        self.assertIs(errors.error_class(399), posthaste.EventError)
        self.assertIs(errors.error_class(99), posthaste.PosthasteError)
        self.assertEqual(errors.error_class(399)("x", 399).name, "POSTHASTE_E_?")

    def test_pythons_own_exceptions_catch_what_is_the_same(self) -> None:
        for kind, python in ((posthaste.TimedOut, TimeoutError), (posthaste.NoMemory, MemoryError),
                             (posthaste.BadValue, ValueError), (posthaste.NotFound, LookupError),
                             (posthaste.Unsupported, NotImplementedError)):
            self.assertTrue(issubclass(kind, python))

    def test_configuration_errors_name_the_key(self) -> None:
        self.assertEqual(self.raised(posthaste.UnknownKey, posthaste.Engine, {"no.such": 1}).key, "no.such")
        self.assertEqual(self.raised(posthaste.BadValue, posthaste.Engine, {"batch.max_age": "soon"}).key, "batch.max_age")
        engine = self.engine()
        self.assertEqual(self.raised(posthaste.NotChangeable, engine.set, "spool.dir", "/x").key, "spool.dir")

    def test_registry_errors_by_code(self) -> None:
        engine = self.engine()
        url = "http://127.0.0.1:1/"
        for kind, webhook in ((posthaste.MissingField, {"name": "a"}),
                              (posthaste.BadTarget, {"name": "a", "target": "ftp://x/", "events": "*"}),
                              (posthaste.BadEvents, {"name": "a", "target": url, "events": "nonsense"}),
                              (posthaste.BadHeader, {"name": "a", "target": url, "events": "*",
                                                     "header": {"Content-Length": "1"}})):
            with self.subTest(kind.__name__):
                self.raised(kind, engine.put, "a", webhook)
        self.raised(posthaste.NotFound, engine.find, "a")
        self.raised(posthaste.NotFound, engine.key_revoke, "a")
        self.raised(posthaste.BadFile, engine.load, self.folder + "/none.json")
        self.raised(posthaste.State, engine.sync)
        self.raised(posthaste.Exists, posthaste.Engine().define_type, "delivery", "message_event")

    def test_a_refused_test_post_tells_status_headers_and_body(self) -> None:
        receiver = self.receiver("--rule", "status=418;header=X-Why: tea;body=no coffee")
        engine = self.engine()
        error = self.raised(posthaste.VerifyFailed, engine.create, self.webhook(receiver.url))
        self.assertEqual((error.phase, error.status, error.body, error.network_name), ("http", 418, b"no coffee", ""))
        self.assertIn(("X-Why", "tea"), error.headers)
        self.assertEqual(engine.list(), [])
        for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
            self.assertEqual((type(other), other.status, other.body, str(other)),
                             (posthaste.VerifyFailed, 418, b"no coffee", str(error)))

    def test_a_target_without_listener_fails_while_connecting(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        error = self.raised(posthaste.VerifyFailed, self.engine().create, self.webhook(f"http://127.0.0.1:{port}/"))
        self.assertEqual((error.phase, error.status, error.network_name, error.headers, error.body),
                         ("connect", 0, "ECONNREFUSED", (), b""))

    def test_a_create_that_takes_too_long_raises_timed_out(self) -> None:
        receiver = self.receiver("--rule", "stop-at=before-head")
        engine = self.engine()
        self.raised(posthaste.TimedOut, engine.create, self.webhook(receiver.url), timeout=0.1)
        self.assertEqual(engine.list(), [])

    def webhook(self, url: str) -> posthaste.Webhook:
        return posthaste.Webhook({"name": "a", "target": url, "events": ["delivery"]})


if __name__ == "__main__":
    unittest.main()
