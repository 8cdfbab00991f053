"""Answers of a host in trouble: receivers that take longer than the host waits, and a disk that cannot be written."""

import resource
import socket
import threading
import unittest

from api_case import ApiTest, wait_until

BASE = "/api/v1/webhooks"
NDJSON = "application/x-ndjson"
TOO_LATE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class SlowReceiverTest(ApiTest):
    """The host waits for half a second."""

    answer_within_ms = 500

    def setUp(self):
        self.silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.silent.close)
        self.target = f"http://127.0.0.1:{self.silent.getsockname()[1]}/"

    def answer_too_late(self):
        """The receiver answers what the host has given up."""
        connection = self.silent.accept()[0]
        connection.recv(65536)
        try:
            connection.sendall(TOO_LATE)
        except OSError:
            pass  # cut by then
        connection.close()

    def assert_timeout(self, answer):
        self.assertEqual((answer.status, answer.error["message"]), (504, "Gateway Timeout"))
        self.assertEqual(answer.error["description"], "no outcome within 500 ms")

    def test_a_creation_that_takes_too_long_is_a_gateway_timeout_and_creates_nothing(self):
        for target in (BASE, BASE + "/"):
            self.assert_timeout(self.api.post(target, self.body(target=self.target)))
            self.answer_too_late()
        created = self.create()
        self.assertEqual([each["id"] for each in self.api.get(BASE).results], [created])

    def test_a_token_url_that_takes_too_long_is_a_gateway_timeout_and_creates_nothing(self):
        self.assert_timeout(self.api.post(BASE, self.body(auth_type="oauth2", auth_request_details={
            "url": self.target, "body": {"client_id": "C", "client_secret": "S"}})))
        self.answer_too_late()
        self.assertEqual(self.api.get(BASE).results, [])

    def test_an_update_that_takes_too_long_is_a_gateway_timeout_and_changes_nothing(self):
        identifier = self.create()
        before = self.api.webhook(identifier)
        self.assert_timeout(self.api.put(f"{BASE}/{identifier}", {"name": "late", "target": self.target}))
        self.answer_too_late()
        self.assertEqual(self.api.webhook(identifier), before)

    def test_a_validation_that_takes_too_long_is_a_gateway_timeout(self):
        identifier = self.create(target=self.target, settings={"verify": "off"})
        self.assert_timeout(self.api.post(f"{BASE}/{identifier}/validate"))

    def test_other_calls_are_answered_meanwhile(self):
        answers = []
        other = self.client()
        slow = threading.Thread(target=lambda: answers.append(other.post(BASE, self.body(target=self.target))))
        slow.start()
        connection = self.silent.accept()[0]
        self.addCleanup(connection.close)
        self.assertEqual(self.api.get(BASE).status, 200)
        self.assertEqual(answers, [])
        slow.join()
        self.assert_timeout(answers[0])


class BadDiskTest(ApiTest):
    """Nothing can be written beyond the first byte of a file, until the limit is lifted."""

    settings = {"spool.dir": "FOLDER/spool"}

    def limit_files(self, size):
        pid = self.host.process.pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]))

    def test_health_fails_while_the_spool_cannot_be_written_and_is_well_again_after_it(self):
        self.create()
        self.assertEqual(self.api.get("/health", key="").json, {"results": {"status": "ok"}})
        self.limit_files(1)
        self.addCleanup(self.limit_files, resource.RLIM_INFINITY)
        self.api.post("/api/v1/events", '{"type":"delivery"}\n', content_type=NDJSON)
        failure = wait_until(self.failure, "a failure")
        self.assertEqual(list(failure), ["status", "reason"])
        self.assertEqual(failure["status"], "failing")
        self.assertIn("the spool cannot be written", failure["reason"])
        self.assertNotIn("\n", failure["reason"])
        self.assertEqual(self.api.get("/health/", key="").status, 503)
        self.limit_files(resource.RLIM_INFINITY)
        wait_until(lambda: self.api.get("/health", key="").status == 200, "a recovery")
        self.assertEqual(len(self.receiver.wait_for_events(self.path(), 1)), 1)

    def failure(self):
        answer = self.api.get("/health", key="")
        return answer.json["results"] if answer.status == 503 else None


if __name__ == "__main__":
    unittest.main()
