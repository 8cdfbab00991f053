"""Webhooks over HTTP: the shapes of the original's API, field by field, and what ours adds."""

import json
import socket
import threading
import time
import unittest

from api_case import COMMAND, UUID, ApiTest, basic, wait_until

BASE = "/api/v1/webhooks"
NONE = "c0ffee00-0000-11e4-8000-000000000000"
OWN_FIELDS = {"state", "created", "subaccount_id", "settings"}


def without_own_fields(webhook):
    """As the original shows a webhook: what ours adds left out."""
    return {name: value for name, value in webhook.items() if name not in OWN_FIELDS}


class CreateTest(ApiTest):
    def test_the_body_of_the_tutorial_creates_a_webhook(self):
        body = {"name": "Example webhook", "target": self.receiver.url + self.path(),
                "auth_token": "5ebe2294ecd0e0f08eab7690d2a6ee69",
                "events": ["injection", "delivery", "open", "click"]}
        answer = self.api.post(BASE + "/", body)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        identifier = answer.results["id"]
        self.assertRegex(identifier, UUID)
        self.assertEqual(answer.json, {"results": {"id": identifier, "links": [
            {"href": f"{self.host.url}{BASE}/{identifier}", "rel": "urn.msys.webhooks.webhook",
             "method": ["GET", "PUT"]}]}})
        ping = self.receiver.requests(self.path())[0]
        self.assertEqual(ping.json, [{"msys": {}}])
        self.assertEqual(ping.headers["Content-Type"], "application/json")
        self.assertRegex(ping.batch_id, UUID)
        self.assertEqual(ping.headers["X-MessageSystems-Webhook-Token"], body["auth_token"])

    def test_a_body_with_every_field_creates_a_webhook(self):
        token = self.receiver.script("/tokens/all", (200, {"Content-Type": "application/json"},
                                     b'{"access_token":"T1","token_type":"bearer","expires_in":3600}'))
        self.api.post(BASE, self.body(
            active=True, exception_subaccounts=[123], custom_headers={"x-api-key": "abcd"},
            auth_type="oauth2", unknown_field={"is": "ignored"},
            auth_request_details={"url": token, "body": {
                "client_id": "CLIENT123", "client_secret": "9sdfj791d2bsbf",
                "grant_type": "client_credentials"}})).results
        asked = self.receiver.requests("/tokens/all")[0]
        self.assertEqual(asked.headers["Content-Type"], "application/x-www-form-urlencoded")
        self.assertIn(b"client_id=CLIENT123", asked.body)
        ping = self.receiver.requests(self.path())[0]
        self.assertEqual(ping.headers["Authorization"], "Bearer T1")
        self.assertEqual(ping.headers["x-api-key"], "abcd")

    def test_a_grant_type_that_is_left_out_is_client_credentials(self):
        token = self.receiver.script("/tokens/short", (200, {"Content-Type": "application/json"},
                                     b'{"access_token":"T2"}'))
        self.create(auth_type="oauth2", auth_request_details={
            "url": token, "body": {"client_id": "C", "client_secret": "S"}})
        self.assertIn(b"grant_type=client_credentials", self.receiver.requests("/tokens/short")[0].body)

    def test_basic_credentials_are_sent_with_the_test_post_also_with_an_empty_password(self):
        self.create(auth_type="basic", auth_credentials={"username": "basicuser", "password": "somepass"})
        self.create(auth_type="basic", auth_credentials={"username": "basicuser"})
        sent = [each.headers["Authorization"] for each in self.receiver.requests(self.path())]
        self.assertEqual(sent, [basic("basicuser", "somepass"), basic("basicuser")])

    def test_a_target_that_answers_badly_creates_nothing(self):
        for status in (404, 500, 302, 201):
            target = self.receiver.script(f"/bad/{status}", (
                status, {"Content-Type": "text/html", "X-Other": "1"}, b"Not Found"))
            answer = self.api.post(BASE, self.body(target=target))
            words = ("failed with response code 201 where 200 is needed" if status == 201 else
                     f"failed with non-2xx response code {status}")
            error = answer.error
            self.assertEqual(answer.status, 400)
            self.assertEqual(list(error), ["code", "message", "response"])
            self.assertEqual(error["code"], 400)
            self.assertEqual(error["message"], f"POST to webhook target URL {words}")
            self.assertEqual((error["response"]["status"], error["response"]["body"]), (status, "Not Found"))
            headers = error["response"]["headers"]
            self.assertEqual((headers["Content-Type"], headers["X-Other"]), ("text/html", "1"))
        self.assertEqual(self.api.get(BASE).results, [])

    def test_a_target_without_an_http_answer_is_told_by_the_name_of_the_network_error(self):
        reset = self.receiver.script("/reset", "drop")
        for target, name in (("http://127.0.0.1:1/", "ECONNREFUSED"),
                             ("http://nobody.invalid/", "ENOTFOUND"),
                             (self.receiver.url.replace("http:", "https:"), "EPROTO"),
                             (reset, "ECONNRESET")):
            answer = self.api.post(BASE, self.body(target=target))
            self.assert_error(answer, 400, code=name, message="POST to webhook target URL failed "
                              f"with error code {name}")
        self.assertEqual(self.api.get(BASE).results, [])

    def test_a_token_url_that_fails_creates_nothing(self):
        token = self.receiver.script("/tokens/bad", (
            502, {"Connection": "close", "Content-Type": "text/html; charset=iso-8859-1"}, b"response body"))
        answer = self.api.post(BASE, self.body(auth_type="oauth2", auth_request_details={
            "url": token, "body": {"client_id": "C", "client_secret": "S"}}))
        self.assertEqual(answer.status, 400)
        error = answer.error
        self.assertEqual(list(error), ["code", "message", "response"])
        self.assertEqual((error["code"], error["message"]), (400, "POST to webhook tokens URL failed"))
        self.assertEqual((error["response"]["status"], error["response"]["body"]), (502, "response body"))
        self.assertEqual(error["response"]["headers"]["Content-Type"], "text/html; charset=iso-8859-1")
        self.assertEqual(self.receiver.requests(self.path()), [])

    def test_a_token_url_without_an_http_answer_is_told_by_the_name_of_the_network_error(self):
        answer = self.api.post(BASE, self.body(auth_type="oauth2", auth_request_details={
            "url": "http://127.0.0.1:1/", "body": {"client_id": "C", "client_secret": "S"}}))
        self.assert_error(answer, 400, code="ECONNREFUSED", message="POST to webhook tokens URL failed")

    def test_details_are_told_when_they_are_asked_for_with_secrets_masked(self):
        target = self.receiver.script("/bad/detail", 404)
        answer = self.api.post(BASE + "?detail=true", self.body(
            target=target, auth_token="token-secret", auth_type="basic",
            auth_credentials={"username": "u", "password": "pass-secret"},
            custom_headers={"x-api-key": "header-secret"}))
        request = answer.error["request"]
        self.assertEqual((request["method"], request["url"], request["body"]),
                         ("POST", target, '[{"msys":{}}]'))
        self.assertEqual(request["headers"]["Content-Type"], "application/json")
        self.assertTrue(answer.error["description"])
        self.assertEqual(answer.error["phase"], "http")
        for secret in (b"token-secret", b"pass-secret", b"header-secret", basic("u", "pass-secret").encode()):
            self.assertNotIn(secret, answer.body)

    def test_duplicates_in_events_are_removed_and_raw_names_become_documented_ones(self):
        identifier = self.create(events=["delivery", "inband", "delivery", "bounce"])
        self.assertEqual(self.api.webhook(identifier)["events"], ["delivery", "bounce"])

    def test_verify_accept_2xx_lets_a_204_pass_and_verify_off_sends_nothing(self):
        self.create(target=self.receiver.script("/created", 201), settings={"verify.accept": "2xx"})
        self.create(target="http://127.0.0.1:1/", settings={"verify": "off"})
        self.assertEqual(len(self.api.get(BASE).results), 2)

    def test_a_webhook_that_is_not_active_is_created_and_sends_nothing(self):
        identifier = self.create(active=False)
        self.assertEqual(self.api.webhook(identifier)["active"], False)
        self.api.push({"type": "delivery"})
        self.assertEqual(self.receiver.events(self.path()), [])


class ShapeTest(ApiTest):
    """api.secrets=clear: as the original shows it."""

    settings = {"api.secrets": "clear"}

    def test_a_list_has_the_originals_fields_and_values(self):
        target = self.receiver.url + self.path()
        identifier = self.api.create(
            name="Some webhook", target=target, events=["delivery", "injection", "open", "click"],
            auth_type="basic", auth_credentials={"username": "basicuser", "password": "somepass"},
            custom_headers={"x-api-key": "abcd"})
        answer = self.api.get(BASE)
        self.assertEqual([without_own_fields(each) for each in answer.results], [{
            "id": identifier, "name": "Some webhook", "target": target,
            "events": ["delivery", "injection", "open", "click"], "auth_type": "basic",
            "auth_request_details": {},
            "auth_credentials": {"username": "basicuser", "password": "somepass"},
            "auth_token": "", "last_successful": None, "last_failure": None,
            "custom_headers": {"x-api-key": "abcd"}, "active": True,
            "links": [{"href": f"{self.host.url}{BASE}/{identifier}",
                       "rel": "urn.msys.webhooks.webhook", "method": ["GET", "PUT"]}]}])
        self.assertEqual(self.api.get(BASE + "/").json, answer.json)

    def test_a_retrieval_has_the_originals_fields_and_values(self):
        token = self.receiver.script("/tokens/show", (200, {"Content-Type": "application/json"},
                                     b'{"access_token":"T3","expires_in":3600}'))
        identifier = self.create(
            exception_subaccounts=[123], auth_type="oauth2", custom_headers={"x-api-key": "abcd"},
            auth_request_details={"url": token, "body": {"client_id": "C1", "client_secret": "S1"}})
        shown = self.api.webhook(identifier)
        url = f"{self.host.url}{BASE}/{identifier}"
        self.assertEqual(without_own_fields(shown), {
            "id": identifier, "name": "Example webhook", "target": self.receiver.url + self.path(),
            "events": ["delivery", "injection"], "exception_subaccounts": ["123"], "auth_type": "oauth2",
            "auth_request_details": {"url": token, "body": {"client_id": "C1", "client_secret": "S1"}},
            "auth_credentials": {}, "auth_token": "",
            "custom_headers": {"x-api-key": "abcd"}, "active": True,
            "last_successful": None, "last_failure": None,
            "links": [{"href": url + "/validate", "rel": "urn.msys.webhooks.validate", "method": ["POST"]},
                      {"href": url + "/batch-status", "rel": "urn.msys.webhooks.batches",
                       "method": ["GET"]}]})
        self.assertEqual(self.api.get(f"{BASE}/{identifier}/").results, shown)

    def test_no_token_and_no_headers_are_an_empty_text_and_an_empty_object(self):
        shown = self.api.webhook(self.create())
        self.assertEqual((shown["auth_token"], shown["custom_headers"], shown["auth_credentials"],
                          shown["auth_request_details"], shown["auth_type"]), ("", {}, {}, {}, "none"))

    def test_our_fields_tell_state_creation_subaccount_and_settings(self):
        identifier = self.create(settings={"batch.max_events": 500, "compression": "gzip"})
        shown = self.api.webhook(identifier)
        self.assertIn(shown["state"], ("activating", "active"))
        self.assertRegex(shown["created"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
        self.assertNotIn("subaccount_id", shown)
        self.api.put(f"{BASE}/{identifier}", {"subaccount_id": 0}).results
        self.assertEqual(self.api.webhook(identifier)["subaccount_id"], 0)
        self.assertEqual(shown["settings"], {"batch.max_events": "500", "compression": "gzip"})
        self.api.put(f"{BASE}/{identifier}", {"settings": {"compression": None}}).results
        self.assertEqual(self.api.webhook(identifier)["settings"], {"batch.max_events": "500"})

    def test_a_secret_is_shown_clear_in_a_list_and_in_a_retrieval(self):
        identifier = self.create(auth_token="clear-token")
        self.assertEqual(self.api.webhook(identifier)["auth_token"], "clear-token")
        self.assertEqual(self.api.get(BASE).results[0]["auth_token"], "clear-token")

    def test_times_are_in_the_time_zone_that_is_asked_for(self):
        identifier = self.create()
        self.api.push({"type": "delivery"})
        shown = wait_until(lambda: self.api.webhook(identifier)["last_successful"] and
                           self.api.webhook(identifier), "a delivery")
        self.assertRegex(shown["last_successful"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
        utc = time.strptime(shown["last_successful"], "%Y-%m-%d %H:%M:%S")
        for query in (f"{BASE}/{identifier}?timezone=Asia/Kolkata", f"{BASE}?timezone=Asia%2FKolkata"):
            there = self.api.get(query).results
            there = there[0] if isinstance(there, list) else there
            local = time.strptime(there["last_successful"], "%Y-%m-%d %H:%M:%S")
            self.assertEqual(time.mktime(local) - time.mktime(utc), 5.5 * 3600)

    def test_a_time_zone_that_does_not_exist_is_refused(self):
        for path in (BASE, f"{BASE}/{self.create()}"):
            for zone in ("Nowhere/Atall", "../../etc/passwd", "", "%00"):
                self.assert_error(self.api.get(f"{path}?timezone={zone}"), 400, code="1200",
                                  message="invalid parameter",
                                  description="timezone is not a name of the time zone database")

    def test_unknown_query_parameters_are_ignored(self):
        self.assertEqual(self.api.get(BASE + "?foo=bar&x&=&timezone=UTC").status, 200)


class MaskedTest(ApiTest):
    """api.secrets=masked, the default."""

    def secrets(self):
        return {"auth_token": "secret-token", "custom_headers": {"x-api-key": "secret-header"},
                "auth_type": "basic", "auth_credentials": {"username": "u", "password": "secret-pass"}}

    def test_secrets_are_masked_in_a_list_and_in_a_retrieval(self):
        identifier = self.create(**self.secrets(), settings={"signing.secrets": "whsec_c2VjcmV0LXNpZ25pbmcta2V5LW9mLTI0"})
        for shown in (self.api.webhook(identifier), self.api.get(BASE).results[0]):
            self.assertEqual(shown["auth_token"], "****")
            self.assertEqual(shown["custom_headers"], {"x-api-key": "****"})
            self.assertEqual(shown["auth_credentials"], {"username": "u", "password": "****"})
            self.assertEqual(shown["settings"]["signing.secrets"], "****")
            self.assertNotIn("secret-", json.dumps({**shown, "name": "", "target": ""}))

    def test_an_update_as_the_original_page_sends_it_keeps_masked_secrets(self):
        identifier = self.create(**self.secrets())
        full = self.api.webhook(identifier)
        full["name"] = "Renamed"
        self.api.put(f"{BASE}/{identifier}", full).results
        self.api.post(f"{BASE}/{identifier}/validate").results
        sent = self.receiver.requests(self.path())[-1].headers
        self.assertEqual(sent["X-MessageSystems-Webhook-Token"], "secret-token")
        self.assertEqual(sent["x-api-key"], "secret-header")
        self.assertEqual(sent["Authorization"], basic("u", "secret-pass"))
        after = self.api.webhook(identifier)
        self.assertEqual(after, {**full, "state": after["state"]})

    def test_an_oauth2_webhook_survives_the_round_trip_of_its_masked_secret(self):
        token = self.receiver.script("/tokens/mask", (200, {"Content-Type": "application/json"},
                                     b'{"access_token":"T4"}'))
        identifier = self.create(auth_type="oauth2", auth_request_details={
            "url": token, "body": {"client_id": "C", "client_secret": "S4-secret"}})
        full = self.api.webhook(identifier)
        self.assertEqual(full["auth_request_details"]["body"]["client_secret"], "****")
        full["target"] = self.receiver.url + self.path() + "/new"
        self.api.put(f"{BASE}/{identifier}", full).results
        self.assertIn(b"S4-secret", self.receiver.requests("/tokens/mask")[-1].body)

    def test_the_mask_in_a_creation_is_refused_since_there_is_nothing_to_keep(self):
        answer = self.api.post(BASE, self.body(auth_token="****"))
        self.assertEqual((answer.status, answer.error["code"]), (422, "1300"))

    def test_a_text_instead_of_the_mask_changes_the_secret(self):
        identifier = self.create(**self.secrets())
        self.api.put(f"{BASE}/{identifier}", {"auth_token": "other", "auth_type": "none"}).results
        self.api.post(f"{BASE}/{identifier}/validate").results
        sent = self.receiver.requests(self.path())[-1].headers
        self.assertEqual((sent["X-MessageSystems-Webhook-Token"], sent["Authorization"]), ("other", None))


class UpdateTest(ApiTest):
    def test_the_body_of_the_original_changes_only_what_it_names(self):
        identifier = self.create(auth_token="t")
        before = self.api.webhook(identifier)
        answer = self.api.put(f"{BASE}/{identifier}", {
            "name": "Renamed webhook", "events": ["generation_rejection", "delay"], "subaccount_id": 123,
            "auth_type": "none", "custom_headers": {"x-api-key": "abcd"}})
        self.assertEqual(answer.json, {"results": {"id": identifier, "links": [
            {"href": f"{self.host.url}{BASE}/{identifier}/validate", "rel": "urn.msys.webhooks.validate",
             "method": ["POST"]}]}})
        after = self.api.webhook(identifier)
        self.assertEqual(after, {**before, "state": after["state"], "name": "Renamed webhook",
                                 "events": ["generation_rejection", "delay"], "subaccount_id": 123,
                                 "custom_headers": {"x-api-key": "****"}})
        self.assertEqual(len(self.receiver.requests(self.path())), 1)

    def test_a_changed_target_gets_the_test_post(self):
        identifier = self.create()
        target = self.receiver.url + self.path() + "/new"
        self.api.put(f"{BASE}/{identifier}/", {"target": target}).results
        self.assertEqual(self.receiver.requests(self.path() + "/new")[0].json, [{"msys": {}}])
        self.assertEqual(self.api.webhook(identifier)["target"], target)

    def test_a_target_that_fails_its_test_post_changes_nothing(self):
        identifier = self.create()
        before = self.api.webhook(identifier)
        answer = self.api.put(f"{BASE}/{identifier}", {
            "name": "Not this", "target": self.receiver.script("/bad/update", 503)})
        self.assertEqual(answer.error["message"],
                         "POST to webhook target URL failed with non-2xx response code 503")
        after = self.api.webhook(identifier)
        self.assertEqual(after, {**before, "state": after["state"]})

    def test_a_body_without_known_fields_is_refused(self):
        identifier = self.create()
        for body in ({}, {"foo": 1}):
            self.assert_error(self.api.put(f"{BASE}/{identifier}", body), 400,
                              message="no valid fields in body")

    def test_an_empty_object_clears_the_custom_headers(self):
        identifier = self.create(custom_headers={"x-a": "1"})
        self.api.put(f"{BASE}/{identifier}", {"custom_headers": {}}).results
        self.assertEqual(self.api.webhook(identifier)["custom_headers"], {})

    def test_exceptions_go_in_as_numbers_come_out_as_texts_and_may_be_cleared(self):
        identifier = self.create(exception_subaccounts=[123, 5])
        self.assertEqual(self.api.webhook(identifier)["exception_subaccounts"], ["123", "5"])
        self.api.put(f"{BASE}/{identifier}", {"exception_subaccounts": ["7"]}).results
        self.assertEqual(self.api.webhook(identifier)["exception_subaccounts"], ["7"])
        self.api.put(f"{BASE}/{identifier}", {"exception_subaccounts": []}).results
        self.assertIn(self.api.webhook(identifier).get("exception_subaccounts"), (None, []))

    def test_active_false_stops_new_batches_and_true_starts_them_again(self):
        identifier = self.create()
        self.api.put(f"{BASE}/{identifier}", {"active": False}).results
        self.assertEqual(self.api.webhook(identifier)["state"], "inactive")
        self.api.push({"type": "delivery", "n": 1})
        self.api.put(f"{BASE}/{identifier}", {"active": True}).results
        self.api.push({"type": "delivery", "n": 2})
        events = self.receiver.wait_for_events(self.path(), 1)
        self.assertEqual([event["n"] for event in events], [2])

    def test_an_update_of_an_unknown_id_is_not_found(self):
        self.assert_error(self.api.put(f"{BASE}/{NONE}", {"name": "x"}), 404,
                          message="Resource could not be found")


class DeleteTest(ApiTest):
    def test_a_deletion_answers_204_without_a_body_and_drains_what_is_queued(self):
        identifier = self.create(settings={"batch.max_age": "300ms"})
        self.api.push({"type": "delivery", "n": 1})
        answer = self.api.delete(f"{BASE}/{identifier}")
        self.assertEqual((answer.status, answer.body, answer.headers["Content-Length"]), (204, b"", None))
        for each in (self.api.get(f"{BASE}/{identifier}"), self.api.delete(f"{BASE}/{identifier}")):
            self.assert_error(each, 404, message="Resource could not be found")
        self.assertEqual(self.receiver.wait_for_events(self.path(), 1)[0]["n"], 1)

    def test_a_deletion_may_drop_what_is_queued(self):
        identifier = self.create(settings={"batch.max_age": "1h"})
        self.api.push({"type": "delivery"})
        self.assertEqual(self.api.delete(f"{BASE}/{identifier}/?queued=drop").status, 204)
        self.assertEqual(self.receiver.events(self.path()), [])

    def test_another_word_for_what_is_queued_is_refused(self):
        answer = self.api.delete(f"{BASE}/{self.create()}?queued=keep")
        self.assert_error(answer, 400, code="1200", message="invalid parameter",
                          description="queued must be drain or drop")


class ValidateTest(ApiTest):
    def test_every_form_of_body_that_clients_send_is_sent_as_an_array(self):
        identifier = self.create()
        record = {"msys": {"message_event": {"type": "bounce", "bounce_class": "1"}}}
        ping = [{"msys": {}}]
        for body, sent in ((None, ping), ({"message": [record]}, [record]), ({"message": record}, [record]),
                           ([{"msys": {}}], ping), ({"msys": {}}, ping), ([record, record], [record, record]),
                           ({}, ping), ({"message": {}}, ping), ({"message": {"msys": {}}}, ping)):
            answer = self.api.post(f"{BASE}/{identifier}/validate", body)
            results = answer.results
            self.assertEqual(list(results), ["msg", "response"])
            self.assertEqual(results["msg"], "Test POST to endpoint succeeded")
            self.assertEqual((results["response"]["status"], results["response"]["body"]), (200, "OK"))
            self.assertEqual(results["response"]["headers"]["Content-Type"], "text/plain")
            taken = self.receiver.requests(self.path())[-1]
            self.assertEqual(taken.json, sent)
            self.assertRegex(taken.batch_id, UUID)

    def test_an_empty_body_is_the_ping_whatever_its_content_type(self):
        identifier = self.create()
        for headers in ({"content_type": None}, {"content_type": "application/json"}):
            self.assertEqual(self.api.post(f"{BASE}/{identifier}/validate/", "", **headers).status, 200)

    def test_a_failure_has_the_shape_of_a_failed_creation(self):
        identifier = self.create(target=self.receiver.script("/first/good", 200, 500))
        answer = self.api.post(f"{BASE}/{identifier}/validate", {"message": [{"msys": {}}]})
        self.assertEqual(answer.status, 400)
        self.assertEqual(list(answer.error), ["code", "message", "response"])
        self.assertEqual(answer.error["message"],
                         "POST to webhook target URL failed with non-2xx response code 500")

    def test_details_tell_what_was_sent(self):
        results = self.api.post(f"{BASE}/{self.create()}/validate?detail=true", {"message": {"a": 1}}).results
        self.assertEqual(list(results), ["msg", "response", "request"])
        self.assertEqual(results["request"]["body"], '[{"a":1}]')

    def test_a_message_that_is_neither_object_nor_array_is_refused(self):
        for body in ({"message": "text"}, {"message": None}, {"message": 5}, "5", '"text"'):
            self.assert_error(self.api.post(f"{BASE}/{self.create()}/validate", body), 422, code="1300",
                              message="invalid data format/type",
                              description="'message' must be an object or an array")

    def test_the_page_of_the_original_validates_with_a_sample(self):
        sample = self.api.get(f"{BASE}/events/samples?events=delivery", key="").results
        identifier = self.create()
        self.assertEqual(self.api.post(f"{BASE}/{identifier}/validate", {"message": sample}).status, 200)
        self.assertEqual(self.receiver.requests(self.path())[-1].json, sample)


class StateTest(ApiTest):
    def test_a_paused_webhook_keeps_what_comes_and_sends_it_when_resumed(self):
        identifier = self.create()
        self.assertEqual(self.api.post(f"{BASE}/{identifier}/pause").results,
                         {"id": identifier, "state": "paused"})
        self.api.push({"type": "delivery", "n": 1})
        self.assertEqual(self.api.webhook(identifier)["state"], "paused")
        resumed = self.api.post(f"{BASE}/{identifier}/resume/").results
        self.assertEqual(resumed["id"], identifier)
        self.assertIn(resumed["state"], ("activating", "active"))
        self.assertEqual(self.receiver.wait_for_events(self.path(), 1)[0]["n"], 1)

    def test_retry_makes_a_waiting_batch_due_at_once(self):
        target = self.receiver.script("/retry", 200, 503, 200)
        identifier = self.create(target=target, settings={"retry.base": "1h", "retry.max": "1h"})
        self.api.push({"type": "delivery", "n": 1})
        wait_until(lambda: len(self.receiver.requests("/retry")) == 2, "a failed attempt")
        wait_until(lambda: self.api.get(f"{BASE}/{identifier}/batch-status").results, "its record")
        self.assertEqual(self.api.post(f"{BASE}/{identifier}/retry").results["id"], identifier)
        wait_until(lambda: len(self.receiver.requests("/retry")) == 3, "the attempt that was asked for")

    def test_the_routes_of_an_unknown_id_are_not_found(self):
        for method, rest in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/validate"),
                             ("GET", "/batch-status"), ("GET", "/attempts"), ("POST", "/pause"),
                             ("POST", "/resume"), ("POST", "/retry")):
            body = {"name": "x"} if method == "PUT" else None
            for identifier in (NONE, "nonsense", "%2e%2e", "a" * 3000, "%00", "%ff%fe"):
                self.assert_error(self.api.call(method, f"{BASE}/{identifier}{rest}", body), 404,
                                  message="Resource could not be found")


class PathLinksTest(ApiTest):
    settings = {"api.links": "path"}

    def test_links_are_paths_when_the_setting_says_so(self):
        self.create()
        webhook = self.api.get(BASE).results[0]
        self.assertEqual(webhook["links"][0]["href"], f"{BASE}/{webhook['id']}")


class BaseLinksTest(ApiTest):
    settings = {"api.base_url": "https://mail.example.com"}

    def test_links_begin_with_the_configured_base(self):
        answer = self.api.post(BASE, self.body())
        self.assertEqual(answer.results["links"][0]["href"],
                         f"https://mail.example.com{BASE}/{answer.results['id']}")


@unittest.skipIf(COMMAND, "tickets are a way of the C interface")
class TicketTest(ApiTest):
    """The same host through tickets and reports."""

    options = ("--ticket",)

    def test_calls_that_wait_for_a_receiver_and_calls_that_do_not_are_answered_by_ticket(self):
        identifier = self.create()
        self.assertEqual(self.api.webhook(identifier)["name"], "Example webhook")
        self.assertEqual(self.api.post(f"{BASE}/{identifier}/validate").results["msg"],
                         "Test POST to endpoint succeeded")
        self.api.put(f"{BASE}/{identifier}", {"target": self.receiver.url + self.path() + "/2"}).results
        self.assertEqual(self.api.post(BASE, self.body(target=self.receiver.url + "/404")).status, 400)
        self.assertEqual(self.api.get(BASE, key="wrong").status, 401)
        self.assertEqual(self.api.get("/nowhere", key="").status, 404)
        self.assertEqual(self.api.delete(f"{BASE}/{identifier}").status, 204)

    def test_a_slow_receiver_holds_no_other_call_up(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            answers = []
            body = self.body(target=f"http://127.0.0.1:{silent.getsockname()[1]}/",
                             settings={"request.timeout": "1s"})
            other = self.client()
            slow = threading.Thread(target=lambda: answers.append(other.post(BASE, body)))
            slow.start()
            connection = silent.accept()[0]
            self.addCleanup(connection.close)
            for _ in range(20):
                self.assertEqual(self.api.get(BASE).status, 200)
            self.assertEqual(answers, [])
            slow.join()
            self.assertEqual(answers[0].error["code"], "ETIMEDOUT")


if __name__ == "__main__":
    unittest.main()
