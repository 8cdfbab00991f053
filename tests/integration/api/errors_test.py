"""Errors over HTTP: every row of the original's table to the letter, keys and grants, hostile input."""

import http.client
import json
import pathlib
import statistics
import threading
import time
import unittest

from api_case import HAS_LISTENER, KEY, KEY_NAME, ApiTest, Client, basic

BASE = "/api/v1/webhooks"
NONE = "c0ffee00-0000-11e4-8000-000000000000"
# Routes that need a key, one of each folder of the path.
KEYED = (BASE, f"{BASE}/{NONE}", f"{BASE}/{NONE}/batch-status", f"{BASE}/{NONE}/attempts", "/api/v1/stats",
         "/api/v1/settings", "/api/v1/dead-letters", "/api/v1/keys", "/metrics")

# What a body may have at most; the listener's own limit, body.max_bytes, is lower.
BODY_BYTES_MAX = 1 << 20 if HAS_LISTENER else 16 << 20
# The listener refuses requests without a Host header that names it.
OF_THE_HANDLER = unittest.skipIf(HAS_LISTENER, "the listener lets no such Host header through")


class TableTest(ApiTest):
    def assert_field_error(self, answer, description):
        self.assert_error(answer, 422, message="invalid data format/type", description=description,
                          code="1300")

    def test_no_key_or_a_bad_one_is_unauthorized(self):
        for last, target in enumerate(KEYED, 1):
            # Each from an address of its own, since many failures of one are answered by 429.
            client = self.client(source=(f"127.0.3.{last}", 0))
            for key in ("", "wrong", "Bearer wrong", basic("wrong"), basic(""), "Basic", "Basic ====",
                        "Basic \x80\x81", KEY + "x", KEY[:-1], " "):
                self.assert_error(client.get(target, key=key), 401, message="Unauthorized")
        answer = self.api.get(BASE, key="")
        self.assertEqual(answer.headers["WWW-Authenticate"], 'ApiKey realm="posthaste"')

    def test_a_key_is_taken_raw_and_as_the_user_name_of_basic(self):
        for key in (KEY, basic(KEY), basic(KEY, "whatever"), "bAsIc " + basic(KEY)[6:], f"  {KEY} "):
            self.assertEqual(self.api.get(BASE, key=key).status, 200)

    def test_nothing_is_told_to_whom_has_no_key(self):
        for method, target in (("GET", "/api/v1/nowhere"), ("PATCH", BASE), ("GET", f"{BASE}/{NONE}"),
                               ("POST", BASE), ("DELETE", f"{BASE}/{NONE}")):
            self.assert_error(self.api.call(method, target, key=""), 401, message="Unauthorized")

    def test_a_key_that_may_only_view_is_forbidden_to_change_anything(self):
        viewer = self.by(self.api.new_key("view"))
        for method, target in (("POST", BASE), ("PUT", f"{BASE}/{NONE}"), ("DELETE", f"{BASE}/{NONE}"),
                               ("POST", f"{BASE}/{NONE}/validate"), ("POST", f"{BASE}/{NONE}/pause"),
                               ("POST", f"{BASE}/{NONE}/resume"), ("POST", f"{BASE}/{NONE}/retry"),
                               ("POST", "/api/v1/events"), ("POST", "/api/v1/dead-letters/replay"),
                               ("POST", "/api/v1/dead-letters/x/replay"), ("DELETE", "/api/v1/dead-letters/x"),
                               ("POST", "/api/v1/keys"), ("DELETE", "/api/v1/keys/x")):
            self.assert_error(viewer.call(method, target), 403, message="Forbidden")
        for target in (BASE, "/api/v1/stats", "/api/v1/settings", "/metrics", "/api/v1/keys"):
            self.assertEqual(viewer.get(target).status, 200)

    def test_an_unknown_path_is_an_invalid_uri(self):
        home = () if HAS_LISTENER else ("/",)  # where the listener has its page
        for target in ("/api/v1/nowhere", "/api/v1/", "/api/v2/webhooks", "/api", BASE + "/a/b/c",
                       "/api/v1/webhooks//", "/API/v1/webhooks",
                       "/api/v1/Webhooks", "/api/v1/webhooks%2f", "/api/v1/../v1/webhooks", "/x", *home):
            self.assert_error(self.api.get(target), 404, message="invalid uri", code="1101")

    def test_a_query_string_that_cannot_be_read_is_told_so(self):
        for target in (BASE + "?timezone=%", BASE + "?%zz=1", BASE + "?a=%4", "/api/v1/%"):
            self.assert_error(self.api.get(target), 404, message="bad query string", code="1103")

    def test_a_wrong_method_is_told_with_those_that_there_are(self):
        for method, target, allow in (("PATCH", BASE, "POST, GET"), ("DELETE", BASE, "POST, GET"),
                                      ("POST", f"{BASE}/{NONE}", "GET, PUT, DELETE"),
                                      ("GET", f"{BASE}/{NONE}/validate", "POST"),
                                      ("PUT", BASE + "/events/samples", "GET"),
                                      ("BREW", "/api/v1/stats", "GET"), ("get", BASE, "POST, GET"),
                                      ("OPTIONS", BASE, "POST, GET"), ("TRACE", BASE, "POST, GET")):
            if method == "OPTIONS" and HAS_LISTENER:
                continue  # what browsers ask it
            answer = self.api.call(method, target)
            self.assert_error(answer, 405, message="Method Not Allowed", code="1102")
            self.assertEqual(answer.headers["Allow"], allow)

    def test_a_bad_parameter_is_told_by_its_name(self):
        identifier = self.create()
        for limit in ("0", "-1", "x", "", "1.5", "99999999999999999999999", "1e3", " 1"):
            for route in ("batch-status", "attempts"):
                answer = self.api.get(f"{BASE}/{identifier}/{route}?limit={limit.replace(' ', '%20')}")
                self.assert_error(answer, 400, message="invalid parameter", code="1200",
                                  description="limit must be a number from 1 on")

    def test_a_body_that_is_not_json_is_refused_with_the_reason(self):
        identifier = self.create()
        for body in ("", "{", "{nope", '{"name":}', "name=x", '{"a":1}{"b":2}', "\x00", '{"a":1,}', "NaN",
                     '{"a":01}', "{'a':1}", '{"a":"\n"}'):
            for method, target in (("POST", BASE), ("PUT", f"{BASE}/{identifier}")):
                answer = self.api.call(method, target, body)
                self.assertEqual(answer.status, 400)
                self.assertEqual(list(answer.error), ["message"])
                self.assertRegex(answer.error["message"],
                                 r"^Request body parsing failed \[Attached error message: .+\]$")

    def test_a_body_that_is_not_utf8_is_refused(self):
        for body in (b'{"name":"\xff"}', b'{"name":"\xed\xa0\x80"}', b'{"name":"\\ud800"}'):
            answer = self.api.post(BASE, body)
            self.assertEqual((answer.status, answer.error["message"], answer.error["code"]),
                             (400, "Request body is not UTF-8", "1305"))

    def test_a_content_type_that_is_not_json_is_refused(self):
        for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "/", ""):
            self.assert_error(self.api.post(BASE, json.dumps(self.body()), content_type=content_type), 415,
                              message="Unsupported Media Type", code="1700",
                              description="the body must be application/json")
        for content_type in ("application/json", "Application/JSON; charset=utf-8", None):
            self.assertEqual(self.api.post(BASE, json.dumps(self.body()), content_type=content_type).status,
                             200)

    def test_a_required_field_that_is_missing_is_named(self):
        for field in ("name", "target", "events"):
            body = self.body()
            del body[field]
            self.assert_error(self.api.post(BASE, body), 422, message="required field is missing",
                              description=f"field '{field}' is required", code="1400")

    def test_a_wrong_type_is_told_by_the_field(self):
        for fields, description in (
                ({"name": 5}, "name is a number, not a string"),
                ({"target": ["x"]}, "target is an array, not a string"),
                ({"events": "delivery"}, "events is a string, not an array"),
                ({"events": ["delivery", 5]}, "events[1] is a number, not a string"),
                ({"active": "true"}, "active is a string, not a boolean"),
                ({"custom_headers": []}, "custom_headers is an array, not an object"),
                ({"auth_credentials": "x"}, "auth_credentials is a string, not an object"),
                ({"auth_token": None}, "auth_token is null, not a string"),
                ({"settings": "x"}, "settings is a string, not an object")):
            self.assert_field_error(self.api.post(BASE, self.body(**fields)), description)
        for body in ("[]", "5", '"text"', "null", "true"):
            answer = self.api.post(BASE, body)
            self.assertEqual((answer.status, answer.error["code"]), (422, "1300"))

    def test_a_wrong_value_is_told_by_the_field(self):
        for fields, word in (
                ({"events": []}, "events"), ({"events": ["nope"]}, "nope"), ({"target": "ftp://a/"}, "target"),
                ({"target": ""}, "target"), ({"target": "http://"}, "target"), ({"name": ""}, "name"),
                ({"name": "x" * 5000}, "name"), ({"target": "http://a/" + "x" * 10000}, "target"),
                ({"name": "a\x00b"}, "name"), ({"auth_type": "token"}, "auth_type"),
                ({"settings": {"nope": "1"}}, "nope"), ({"settings": {"spool.dir": "/"}}, "spool.dir"),
                ({"settings": {"batch.max_events": "0"}}, "batch.max_events"),
                ({"exception_subaccounts": []}, "exception_subaccounts"),
                ({"exception_subaccounts": [1, 1]}, "exception_subaccounts"),
                ({"exception_subaccounts": list(range(1, 12))}, "exception_subaccounts"),
                ({"exception_subaccounts": ["x"]}, "exception_subaccounts"),
                ({"exception_subaccounts": [-1]}, "exception_subaccounts"),
                ({"subaccount_id": -2}, "subaccount_id"), ({"subaccount_id": 2**31}, "subaccount_id"),
                ({"subaccount_id": 1.5}, "subaccount_id"), ({"subaccount_id": 10**30}, "subaccount_id"),
                ({"custom_headers": {"bad name": "x"}}, "bad name"),
                ({"custom_headers": {"x-a": "a\r\nb: c"}}, "x-a"),
                ({"custom_headers": {"x-a": {}}}, "x-a"),
                ({"auth_token": "a\r\nb"}, "auth_token")):
            answer = self.api.post(BASE, self.body(**fields))
            self.assertEqual((answer.status, answer.error.get("code"), answer.error["message"]),
                             (422, "1300", "invalid data format/type"), fields)
            self.assertIn(word, answer.error["description"])
            self.assertNotIn("\n", answer.error["description"])
        self.assertEqual(self.api.get(BASE).results, [])

    def test_fields_that_do_not_fit_together_are_told_so(self):
        for fields in ({"auth_type": "basic"}, {"auth_type": "basic", "auth_credentials": {}},
                       {"auth_type": "oauth2"}, {"auth_type": "oauth2", "auth_request_details": {}}):
            answer = self.api.post(BASE, self.body(**fields))
            self.assertEqual((answer.status, answer.error["code"], answer.error["message"]),
                             (422, "1301", "fields do not fit together"), fields)

    def test_a_reserved_custom_header_is_told_by_its_name(self):
        for name in ("Host", "content-type", "Content-Length", "Transfer-Encoding", "Connection", "Expect",
                     "Upgrade", "TE", "Trailer", "User-Agent", "X-MessageSystems-Batch-ID",
                     "x-messagesystems-webhook-token"):
            self.assert_error(
                self.api.post(BASE, self.body(custom_headers={name: "x"})), 422, param="custom_headers",
                message="Header is reserved and cannot be used", value=name)

    def test_authorization_is_reserved_when_another_field_makes_it(self):
        answer = self.api.post(BASE, self.body(
            custom_headers={"Authorization": "x"}, auth_type="basic", auth_credentials={"username": "u"}))
        self.assert_error(answer, 422, param="custom_headers", value="Authorization",
                          message="Header is reserved and cannot be used")
        self.create(custom_headers={"Authorization": "x"})
        self.assertEqual(self.receiver.requests(self.path())[-1].headers["Authorization"], "x")

    def test_more_than_five_custom_headers_are_refused(self):
        headers = {f"x-{number}": "x" for number in range(5)}
        self.assertEqual(self.api.post(BASE, self.body(custom_headers=headers)).status, 200)
        answer = self.api.post(BASE, self.body(custom_headers={**headers, "x-5": "x"}))
        self.assert_error(answer, 422, param="custom_headers",
                          message="You may only have up to 5 custom headers")

    def test_custom_headers_that_are_too_large_are_refused(self):
        self.create(custom_headers={"x-1": "x" * 2990})
        self.assert_error(self.api.post(BASE, self.body(custom_headers={"x-1": "x" * 3000})), 413,
                          param="custom_headers", message="Custom headers are too large", code="10001")

    def test_an_accept_header_that_cannot_be_met_is_refused(self):
        for accept in ("text/html", "application/xml;q=1", "application/json;q=0", "image/*", "nonsense"):
            self.assert_error(self.api.get(BASE, accept=accept), 406, message="Not Acceptable", code="1800")
        for accept in ("application/json", "*/*", "application/*", "text/html, */*;q=0.1", "",
                       "APPLICATION/JSON"):
            self.assertEqual(self.api.get(BASE, accept=accept).status, 200)
        self.assertEqual(self.api.get("/metrics", accept="text/plain").status, 200)

    def test_two_webhooks_may_have_the_same_name_and_target(self):
        self.assertNotEqual(self.create(), self.create())

    def test_head_is_answered_like_get_without_its_body(self):
        for target in (BASE, BASE + "/events/documentation", "/health", "/metrics", "/api/v1/stats"):
            head = self.api.call("HEAD", target)
            got = self.api.get(target)
            self.assertEqual((head.status, head.body), (200, b""))
            self.assertEqual(head.headers["Content-Type"], got.headers["Content-Type"])
        self.assertEqual(self.api.call("HEAD", f"{BASE}/{NONE}").status, 404)
        self.assertEqual(self.api.call("HEAD", BASE, key="").status, 401)

    def test_no_answer_is_kept_by_caches(self):
        for answer in (self.api.get(BASE), self.api.get("/api/v1/nowhere"), self.api.get(BASE, key="")):
            self.assertEqual(answer.headers["Cache-Control"], "no-store")


class HostileTest(ApiTest):
    def assert_refused(self, answer, *statuses):
        self.assertIn(answer.status, statuses, answer.body)
        self.assertNotIn("\n", answer.error["message"] + answer.error.get("description", ""))

    def test_bodies_made_to_hurt_are_refused(self):
        deep = 100_000
        for body in ("[" * deep, '{"a":' * deep, '{"name":' + "[" * 200 + "]" * 200 + "}",
                     '{"name":"x","name":"y","target":"http://a/","events":["delivery"]}',
                     json.dumps(self.body(subaccount_id=10**300)), '{"name":1e999999}',
                     json.dumps(self.body(settings={"batch.max_events": 10**30})),
                     json.dumps(self.body(settings={"x" * 100_000: "1"})),
                     json.dumps(self.body(custom_headers={"x" * 100_000: "1"})),
                     json.dumps(self.body(events=["delivery"] * 100_000 + ["nope"])),
                     json.dumps({"name": "x" * 1_000_000})):
            for target in (BASE, f"{BASE}/{self.create()}"):
                method = "POST" if target == BASE else "PUT"
                self.assert_refused(self.api.call(method, target, body), 400, 413, 422)
        self.assertEqual(self.api.get(BASE).status, 200)

    def test_a_body_beyond_the_limit_is_refused_by_its_size(self):
        answer = self.api.post(BASE, b" " * (BODY_BYTES_MAX + 1))
        self.assertEqual((answer.status, answer.error["message"]), (413, "Request body is too large"))

    def test_a_message_of_a_validation_may_be_strange_but_is_sent_as_json(self):
        identifier = self.create()
        for message in ([], [[]], [1.5, None, True, "\u0000\u2028"], {"a": {"b": [10**15]}}):
            self.assertEqual(self.api.post(f"{BASE}/{identifier}/validate", {"message": message}).status, 200)
            sent = self.receiver.requests(self.path())[-1].json
            self.assertEqual(sent, message if isinstance(message, list) else [message])

    def test_names_are_text_whatever_they_hold(self):
        for name in ("<script>alert(1)</script>", '"quoted" \\ back', "snö 雪 🙂", "'; drop table x", "%00%n"):
            self.assertEqual(self.api.webhook(self.create(name=name))["name"], name)

    def test_paths_and_queries_that_are_not_utf8_or_hold_nul_are_answered(self):
        # A query that names an unknown parameter is ignored, whatever bytes it holds. The listener cuts one of thousands.
        many = 100 if HAS_LISTENER else 5000
        for target, status in ((BASE + "?%00=%ff", 200), (BASE + "?timezone=%ff%fe", 400),
                               (f"{BASE}/%ff", 404), ("/%00", 404), (BASE + "/events/samples?events=%00", 400),
                               ("/api/v1/dead-letters/%00%ff", 409), (f"{BASE}?" + "a=1&" * many, 200),
                               ("/" + "a/" * 5000, 404)):
            self.assertEqual(self.api.get(target).status, status, target)

    def test_headers_made_to_hurt_are_answered(self):
        long = "x" * (10_000 if HAS_LISTENER else 30_000)
        for headers, status in (({"accept": "," * 5000 + "*/*"}, 200), ({"accept": ";" * 5000}, 406),
                                ({"x_msys_subaccount": long}, 400), ({"x_msys_subaccount": "\xff"}, 400),
                                ({"x_msys_subaccount": "-1"}, 400), ({"x_msys_subaccount": "4294967296"}, 400),
                                ({"x_msys_subaccount": "1e1"}, 400), ({"authorization": long}, 401),
                                ({"host": "a" * 3000}, 403 if HAS_LISTENER else 200)):
            self.assertEqual(self.api.get(BASE, **headers).status, status, headers)

    @OF_THE_HANDLER
    def test_a_host_header_that_is_no_host_makes_links_that_are_paths(self):
        for host in ('evil"},{"x":"', "a b", "a\tb", "user@host/path", "<script>", "\xff"):
            results = self.api.post(BASE, self.body(), host=host).results
            self.assertEqual(results["links"][0]["href"], f"{BASE}/{results['id']}")

    @OF_THE_HANDLER
    def test_a_request_without_a_host_gets_links_that_are_paths(self):
        connection = http.client.HTTPConnection(self.api.address.hostname, self.api.address.port)
        self.addCleanup(connection.close)
        body = json.dumps(self.body()).encode()
        connection.putrequest("POST", BASE, skip_host=True)
        for name, value in (("Authorization", KEY), ("Content-Length", str(len(body)))):
            connection.putheader(name, value)
        connection.endheaders(body)
        results = json.loads(connection.getresponse().read())["results"]
        self.assertEqual(results["links"][0]["href"], f"{BASE}/{results['id']}")

    def test_the_first_of_two_authorization_headers_counts(self):
        connection = http.client.HTTPConnection(self.api.address.hostname, self.api.address.port)
        self.addCleanup(connection.close)
        for first, second, status in ((KEY, "wrong", 200), ("wrong", KEY, 401)):
            connection.putrequest("GET", BASE)
            connection.putheader("Authorization", first)
            connection.putheader("Authorization", second)
            connection.endheaders()
            answer = connection.getresponse()
            answer.read()
            self.assertEqual(answer.status, status)


class KeysTest(ApiTest):
    def test_a_key_is_shown_once_and_works_until_it_is_revoked(self):
        made = self.api.post("/api/v1/keys/", {"name": "ci", "grant": "modify"}).results
        self.assertEqual(sorted(made), ["created_ms", "grant", "id", "key", "name", "subaccount"])
        self.assertEqual((made["name"], made["grant"], made["subaccount"]), ("ci", "modify", None))
        other = self.by(made["key"])
        self.assertEqual(other.get(BASE).status, 200)
        listed = self.api.get("/api/v1/keys")
        self.assertIn({name: made[name] for name in made if name != "key"}, listed.results)
        self.assertNotIn(made["key"].encode(), listed.body)
        answer = self.api.delete(f"/api/v1/keys/{made['id']}")
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assert_error(other.get(BASE), 401, message="Unauthorized")
        self.assert_error(self.api.delete(f"/api/v1/keys/{made['id']}"), 404,
                          message="Resource could not be found")

    def test_a_body_that_makes_no_key_is_refused(self):
        for body, status in (({}, 422), ({"name": "x"}, 422), ({"name": "x", "grant": "all"}, 422),
                             ({"name": 5, "grant": "view"}, 422), ({"name": "x" * 65, "grant": "view"}, 422),
                             ({"name": "x", "grant": "view", "subaccount": -1}, 422), ("[]", 422), ("{", 400),
                             ({"name": "x", "grant": "view", "subaccount": "7"}, 422)):
            self.assertEqual(self.api.post("/api/v1/keys", body).status, status, body)

    def test_a_key_that_may_only_view_makes_no_keys_and_a_bound_one_sees_none(self):
        viewer = self.by(self.api.new_key("view"))
        bound = self.by(self.api.new_key("modify", 7))
        body = {"name": "x", "grant": "view"}
        for client in (viewer, bound):
            self.assert_error(client.post("/api/v1/keys", body), 403, message="Forbidden")
        self.assertEqual(viewer.get("/api/v1/keys").status, 200)
        self.assert_error(bound.get("/api/v1/keys"), 403, message="Forbidden")

    def test_failed_keys_of_one_address_are_slowed_and_a_valid_key_passes(self):
        guesser = self.client(source=("127.0.1.1", 0))
        statuses = [guesser.get(BASE, key=f"guess-{number}").status for number in range(30)]
        self.assertEqual((statuses[0], statuses[-1]), (401, 429))
        answer = guesser.get(BASE, key="guess")
        self.assert_error(answer, 429, message="Too many failed attempts from this address")
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        self.assertEqual(guesser.get(BASE).status, 200)
        self.assertEqual(guesser.get(BASE + "/events/samples", key="").status, 200)

    def memory_kib(self):
        status = pathlib.Path(f"/proc/{self.host.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def test_ten_thousand_wrong_keys_cost_no_memory_and_hold_no_valid_key_up(self):
        def median_of(count):
            times = []
            for _ in range(count):
                begun = time.monotonic()
                self.assertEqual(self.api.get(BASE).status, 200)
                times.append(time.monotonic() - begun)
            return statistics.median(times)

        quiet = median_of(50)
        before = self.memory_kib()
        wrong = []

        def guess(last):
            client = Client(self.host.url, source=(f"127.0.2.{last}", 0))
            client.is_checked = False
            for number in range(2500):
                wrong.append(client.get(BASE, key=f"wrong-{last}-{number}").status)
            client.close()

        threads = [threading.Thread(target=guess, args=(last,)) for last in range(1, 5)]
        for thread in threads:
            thread.start()
        busy = median_of(50)
        for thread in threads:
            thread.join()
        self.assertEqual((len(wrong), set(wrong)), (10_000, {401, 429}))
        self.assertLess(self.memory_kib() - before, 32 * 1024)
        # The host and its guessers share two interpreters here: what is measured is that nobody waits his turn out.
        self.assertLess(busy, max(10 * quiet, 0.1))


class BadDiskTest(ApiTest):
    settings = {"spool.dir": "FOLDER/spool"}

    def test_a_key_that_cannot_be_written_is_an_error_of_the_server_and_is_not_made(self):
        kept = next(path for path in (self.folder / "spool").iterdir()
                    if path.is_file() and b'"sha256"' in path.read_bytes())
        kept.rename(self.folder / "aside")
        kept.mkdir()
        (kept / "full").touch()
        answer = self.api.post("/api/v1/keys", {"name": "x", "grant": "view"})
        self.assertEqual((answer.status, answer.error["message"], answer.error["code"]),
                         (500, "Internal Server Error", "1500"))
        (kept / "full").unlink()
        kept.rmdir()
        self.assertEqual([each["name"] for each in self.api.get("/api/v1/keys").results], [KEY_NAME])
        self.assertTrue(self.api.new_key("view"))


if __name__ == "__main__":
    unittest.main()
