"""Batches over HTTP: the original's batch status after real failures and recoveries, all attempts, statistics, dead
letters of durable mode."""

import re
import time
import unittest

from api_case import UUID, ApiTest, wait_until

BASE = "/api/v1/webhooks"
NONE = "c0ffee00-0000-11e4-8000-000000000000"
TS = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


class BatchTest(ApiTest):
    def status(self, identifier, query="", route="batch-status"):
        return self.api.get(f"{BASE}/{identifier}/{route}{query}").results

    def deliver(self, *script, events=1, **fields):
        """A webhook whose batch meets this script after the test POST; returns its id and the batch's requests."""
        path = f"/{self.id().split('.')[-1]}/{time.monotonic_ns()}"
        identifier = self.create(target=self.receiver.script(path, 200, *script), **fields)
        self.api.push(*[{"type": "delivery", "n": number} for number in range(events)])
        requests = wait_until(
            lambda: len(self.receiver.requests(path)) > len(script) and self.receiver.requests(path)[1:],
            "the attempts")
        return identifier, requests


class StatusTest(BatchTest):
    def test_a_batch_that_failed_and_recovered_has_the_originals_fields(self):
        identifier, requests = self.deliver(503, 429, 302, 200, events=3)
        status = wait_until(lambda: [each for each in self.status(identifier)
                                     if each["response_code"] == "200"], "the success")
        entry = status[0]
        self.assertEqual(list(entry), ["batch_id", "webhook_id", "ts", "attempts", "response_code", "batch_size",
                                       "latency"])
        self.assertRegex(entry["batch_id"], UUID)
        self.assertEqual({each.batch_id for each in requests}, {entry["batch_id"]})
        self.assertEqual(entry["webhook_id"], identifier)
        self.assertRegex(entry["ts"], TS)
        self.assertEqual((entry["attempts"], entry["response_code"], entry["batch_size"]), (3, "200", 3))
        for name in ("attempts", "batch_size", "latency"):
            self.assertIs(type(entry[name]), int)
        self.assertEqual(self.api.get(f"{BASE}/{identifier}/batch-status/").results, status)

    def test_a_batch_that_fails_has_a_failure_code_that_is_text(self):
        identifier, requests = self.deliver(400)
        status = wait_until(lambda: self.status(identifier), "a failure")
        entry = status[0]
        self.assertEqual(list(entry), ["batch_id", "webhook_id", "ts", "attempts", "response_code",
                                       "failure_code", "batch_size", "latency"])
        self.assertEqual((entry["failure_code"], entry["response_code"]), ("400", "400"))
        self.assertGreaterEqual(entry["attempts"], 1)
        self.assertEqual(entry["batch_id"], requests[0].batch_id)

    def test_a_batch_without_an_http_answer_has_the_name_of_the_network_error(self):
        identifier, _ = self.deliver("drop")
        entry = wait_until(lambda: self.status(identifier), "a failure")[0]
        self.assertEqual(entry["failure_code"], "ECONNRESET")
        self.assertNotIn("response_code", entry)

    def test_a_batch_that_never_failed_is_no_part_of_the_status_but_of_the_attempts(self):
        identifier, requests = self.deliver(200)
        entry = wait_until(lambda: self.status(identifier, route="attempts"), "a success")[0]
        self.assertEqual((entry["batch_id"], entry["attempts"], entry["response_code"]),
                         (requests[0].batch_id, 0, "200"))
        self.assertEqual(self.status(identifier), [])

    def test_the_newest_comes_first_and_limit_counts(self):
        identifier, _ = self.deliver(500, 200)
        wait_until(lambda: len(self.receiver.requests()) and self.status(identifier)
                   and self.status(identifier)[0]["response_code"] == "200", "the first batch")
        for number in range(3):
            self.api.push({"type": "delivery", "more": number})
            wait_until(lambda: len(self.status(identifier, route="attempts")) == number + 2, "its record")
        attempts = self.status(identifier, route="attempts")
        times = [each["ts"] for each in attempts]
        self.assertEqual(times, sorted(times, reverse=True))
        self.assertEqual(self.status(identifier, "?limit=2", "attempts"), attempts[:2])
        self.assertEqual(len(self.status(identifier, "?limit=1")), 1)
        self.assertEqual(self.status(identifier, "?limit=1000&timezone=UTC"), self.status(identifier))
        self.assertEqual(self.status(identifier, "?limit=4000000000"), self.status(identifier))

    def test_a_failure_and_a_success_are_told_by_the_webhook_too(self):
        identifier, _ = self.deliver(500, 200)
        shown = wait_until(lambda: self.api.webhook(identifier)["last_successful"] and
                           self.api.webhook(identifier), "a success")
        for name in ("last_successful", "last_failure"):
            self.assertRegex(shown[name], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")

    def test_a_webhook_without_batches_has_an_empty_status(self):
        identifier = self.create()
        for route in ("batch-status", "attempts"):
            self.assertEqual(self.status(identifier, route=route), [])

    def test_statistics_count_what_was_pushed_and_delivered(self):
        identifier, _ = self.deliver(200, events=5)
        wait_until(lambda: self.status(identifier, route="attempts"), "its record")
        stats = self.api.get("/api/v1/stats/").results
        self.assertGreaterEqual(stats["events"]["accepted"], 5)
        webhook = next(each for each in stats["webhooks"] if each["id"] == identifier)
        self.assertEqual(webhook["events"]["delivered"], 5)

    def test_statistics_have_the_events_of_the_last_minutes(self):
        identifier, _ = self.deliver(200, events=5)
        wait_until(lambda: self.status(identifier, route="attempts"), "its record")
        quiet = self.create()
        webhooks = {each["id"]: each["history"] for each in self.api.get("/api/v1/stats").results["webhooks"]}
        # A minute may have ended meanwhile.
        self.assertEqual(sum(webhooks[identifier]["events_per_minute"]), 5)
        self.assertLess(len(webhooks[identifier]["events_per_minute"]), 4)
        self.assertEqual(webhooks[quiet]["events_per_minute"], [])

    def test_settings_tell_what_the_engine_has_now_but_not_to_a_bound_key(self):
        described = {each["key"]: each for each in self.api.get("/api/v1/settings").results}
        self.assertEqual((described["batch.max_age"]["default"], described["batch.max_age"]["value"]), ("30s", "20ms"))
        self.assertEqual(described["retry.max"]["value"], "60ms")
        bound = self.by(self.api.new_key("view", 7)).get("/api/v1/settings").results
        self.assertEqual({each["key"] for each in bound}, set(described))
        self.assertEqual([each for each in bound if "value" in each], [])

    def test_settings_describe_every_key_of_a_webhook(self):
        described = self.api.get("/api/v1/settings/").results
        keys = {each["key"] for each in described}
        self.assertTrue({"batch.max_events", "retry.max_age", "signing.secrets", "subaccount"} <= keys)
        self.assertNotIn("spool.dir", keys)
        for each in described:
            self.assertTrue(each["help"])

    def test_health_needs_no_key_and_metrics_need_one(self):
        self.assertEqual(self.api.get("/health", key="").json, {"results": {"status": "ok"}})
        self.assertEqual(self.api.get("/metrics", key="").status, 401)
        answer = self.api.get("/metrics")
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        self.assertIn(b"\n# TYPE posthaste_", b"\n" + answer.body)

    def test_dead_letters_of_memory_mode_are_a_conflict_that_says_so(self):
        for method, target, body in (("GET", "/api/v1/dead-letters", None), ("GET", "/api/v1/dead-letters/x", None),
                                     ("POST", "/api/v1/dead-letters/x/replay", None),
                                     ("POST", "/api/v1/dead-letters/replay", {}),
                                     ("DELETE", "/api/v1/dead-letters/x", None)):
            answer = self.api.call(method, target, body)
            self.assertEqual((answer.status, answer.error["message"], answer.error["code"]),
                             (409, "resource conflict", "1602"))
            self.assertIn("memory mode", answer.error["description"])


class DeadLetterTest(BatchTest):
    settings = {"spool.dir": "FOLDER/spool", "retry.max_age": "100ms", "dead_letter": "on"}

    def die(self, *more, events=2, **fields):
        """A webhook with one dead letter, which its receiver would take by now. Returns its id and the letter."""
        path = f"/{self.id().split('.')[-1]}/{time.monotonic_ns()}"
        identifier = self.create(target=self.receiver.script(path, 200, 503), **fields)
        self.api.push(*[{"type": "delivery", "n": number, **dict(more)} for number in range(events)])
        letter = wait_until(lambda: self.letters(f"?webhook_id={identifier}"), "a dead letter")[0]
        self.receiver.script(path, 200)
        return identifier, path, letter

    def letters(self, query=""):
        return self.api.get("/api/v1/dead-letters" + query).results

    def test_a_dead_letter_is_listed_shown_replayed_and_delivered(self):
        identifier, path, letter = self.die()
        self.assertEqual((letter["webhook_id"], letter["events"], letter["status"], letter["reason"]),
                         (identifier, 2, 503, "expired"))
        self.assertRegex(letter["batch_id"], UUID)
        url = f"/api/v1/dead-letters/{letter['batch_id']}"
        shown = self.api.get(url).results
        records = shown.pop("records")
        self.assertEqual(shown, letter)
        self.assertEqual([each["msys"]["message_event"]["n"] for each in records], [0, 1])
        before = len(self.receiver.requests(path))
        self.assertEqual(self.api.post(url + "/replay").results["replayed"], 1)
        request = wait_until(lambda: self.receiver.requests(path)[before:], "the replay")[0]
        self.assertEqual((request.batch_id, request.json), (letter["batch_id"], records))
        wait_until(lambda: self.letters(f"?webhook_id={identifier}") == [], "the letter's end")
        self.assert_error(self.api.get(url), 404, message="Resource could not be found")

    def test_many_records_are_shown_in_part(self):
        _, _, letter = self.die(("pad", "x" * 1000), events=250)
        shown = self.api.get(f"/api/v1/dead-letters/{letter['batch_id']}").results
        self.assertEqual((shown["events"], len(shown["records"])), (250, 100))

    def test_letters_are_replayed_by_a_filter_page_by_page(self):
        identifier, path, _ = self.die()
        other, _, kept = self.die()
        results = self.api.post("/api/v1/dead-letters/replay", {"webhook_id": identifier}).results
        self.assertEqual(results["replayed"], 1)
        while results["after"] is not None:
            results = self.api.post("/api/v1/dead-letters/replay",
                                    {"webhook_id": identifier, "after": results["after"]}).results
            self.assertEqual(results["replayed"], 0)
        wait_until(lambda: len(self.receiver.events(path)) >= 2, "the replay")
        self.assertEqual(self.letters(f"?webhook_id={other}"), [kept])

    def test_a_letter_is_deleted_for_good(self):
        identifier, _, letter = self.die()
        url = f"/api/v1/dead-letters/{letter['batch_id']}"
        answer = self.api.delete(url + "/")
        self.assertEqual((answer.status, answer.body), (204, b""))
        for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/replay")):
            self.assert_error(self.api.call(method, url + rest), 404, message="Resource could not be found")
        self.assertEqual(self.letters(f"?webhook_id={identifier}"), [])

    def test_filters_and_pages_of_the_list(self):
        _, _, first = self.die()
        _, _, second = self.die()
        died = second["died_ms"]
        for query, expected in ((f"?webhook_id={first['webhook_id']}", [first]),
                                (f"?batch_id={second['batch_id']}", [second]),
                                (f"?from_ms={died}&webhook_id={second['webhook_id']}", [second]),
                                (f"?before_ms={died}&webhook_id={second['webhook_id']}", []),
                                (f"?status=503&webhook_id={first['webhook_id']}", [first]),
                                ("?status=404", []), (f"?after={second['sequence']}", [])):
            self.assertEqual(self.letters(query), expected, query)
        page = self.letters("?limit=1")
        self.assertEqual(len(page), 1)
        self.assertGreater(self.letters(f"?limit=1&after={page[0]['sequence']}")[0]["sequence"],
                           page[0]["sequence"])

    def test_a_bad_filter_is_told_by_its_name(self):
        for query, word in (("from_ms=x", "from_ms"), ("before_ms=-1", "before_ms"), ("status=1000", "status"),
                            ("limit=0", "limit"), ("after=x", "after"), ("webhook_id=", "webhook_id"),
                            ("from_ms=99999999999999999999", "from_ms")):
            answer = self.api.get("/api/v1/dead-letters?" + query)
            self.assertEqual((answer.status, answer.error["code"]), (400, "1200"))
            self.assertIn(word, answer.error["description"])

    def test_a_bad_body_of_a_replay_is_refused(self):
        for body, status in (("{", 400), ("[]", 422), ("5", 422), ({"status": "x"}, 422), ({"status": {}}, 422),
                             ({"after": "x"}, 422), ({"after": -1}, 422), ({"webhook_id": 5.5}, 422)):
            self.assertEqual(self.api.post("/api/v1/dead-letters/replay", body).status, status, body)

    def test_a_replay_without_a_body_replays_everything(self):
        self.die()
        self.assertGreaterEqual(self.api.post("/api/v1/dead-letters/replay").results["replayed"], 1)

    def test_an_unknown_letter_is_not_found(self):
        for identifier in (NONE, "x", "%00", "a" * 3000):
            for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/replay")):
                self.assert_error(self.api.call(method, f"/api/v1/dead-letters/{identifier}{rest}"), 404,
                                  message="Resource could not be found")

    def test_a_bound_key_sees_its_own_letters_only(self):
        bound = self.by(self.api.new_key("modify", 7))
        _, _, foreign = self.die()
        identifier, _, own = self.die(("subaccount_id", 7), subaccount_id=7)
        self.assertEqual(bound.get("/api/v1/dead-letters").results, [own])
        # Those of others take no room of a page.
        self.assertEqual(bound.get("/api/v1/dead-letters?limit=1").results, [own])
        url = f"/api/v1/dead-letters/{foreign['batch_id']}"
        for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/replay")):
            self.assert_error(bound.call(method, url + rest), 404, message="Resource could not be found")
        self.assert_error(bound.post("/api/v1/dead-letters/replay", {}), 404,
                          message="Resource could not be found")
        self.assertEqual(bound.post("/api/v1/dead-letters/replay", {"webhook_id": identifier}
                                    ).results["replayed"], 1)


if __name__ == "__main__":
    unittest.main()
