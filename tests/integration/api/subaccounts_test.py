"""Subaccounts over HTTP: which events a webhook gets, what X-MSYS-SUBACCOUNT and bound keys may see and change."""

import ctypes
import os
import pathlib
import shutil
import tempfile
import unittest

from api_case import COMMAND, KEY, KEY_NAME, ApiTest, Client, Host, Receiver

BASE = "/api/v1/webhooks"
# An event's subaccount_id and its name. Texts and numbers mean the same; 0 and none are the primary account.
EVENTS = [({}, "primary"), ({"subaccount_id": 0}, "zero"), ({"subaccount_id": "0"}, "zero text"),
          ({"subaccount_id": 7}, "seven"), ({"subaccount_id": "7"}, "seven text"),
          ({"subaccount_id": 9}, "nine"), ({"subaccount_id": "9"}, "nine text"),
          ({"subaccount_id": 2147483647}, "largest")]
# A webhook's fields and the names that it gets.
ALL = [name for _, name in EVENTS]
PRIMARY = ["primary", "zero", "zero text"]
WEBHOOKS = {"all": ({}, ALL), "also-all": ({"subaccount_id": -1}, ALL), "primary": ({"subaccount_id": 0}, PRIMARY),
            "seven": ({"subaccount_id": 7}, ["seven", "seven text"]),
            "nine": ({"subaccount_id": 9}, ["nine", "nine text"]),
            "largest": ({"subaccount_id": 2147483647}, ["largest"]),
            "without-seven": ({"exception_subaccounts": [7]}, [n for n in ALL if "seven" not in n]),
            "without-both": ({"exception_subaccounts": [7, 9]}, PRIMARY + ["largest"]),
            "nobody": ({"subaccount_id": 5}, [])}


def events_to_push():
    return [{"type": "delivery", "who": name, **fields} for fields, name in EVENTS]


class RoutingTest(ApiTest):
    def create_all(self):
        for name, (fields, _) in WEBHOOKS.items():
            self.create(target=f"{self.receiver.url}/200/{name}", **fields)

    def assert_routed(self):
        for name, (_, expected) in WEBHOOKS.items():
            got = self.receiver.wait_for_events(f"/200/{name}", len(expected)) if expected else \
                self.receiver.events(f"/200/{name}")
            self.assertEqual([event["who"] for event in got], expected, name)

    def test_events_reach_the_webhooks_of_their_subaccount_and_no_other(self):
        self.create_all()
        self.api.push(*events_to_push())
        self.assert_routed()

    def test_an_enveloped_event_is_routed_by_its_subaccount_too(self):
        self.create(subaccount_id=7)
        self.api.push({"msys": {"message_event": {"type": "delivery", "subaccount_id": 9, "n": 1}}},
                      {"msys": {"message_event": {"type": "delivery", "subaccount_id": "7", "n": 2}}})
        self.assertEqual([event["n"] for event in self.receiver.wait_for_events(self.path(), 1)], [2])

    def test_an_update_moves_a_webhook_to_another_subaccount(self):
        identifier = self.create(subaccount_id=7)
        self.api.put(f"{BASE}/{identifier}", {"subaccount_id": 9}).results
        self.assertEqual(self.api.webhook(identifier)["subaccount_id"], 9)
        self.api.push(*events_to_push())
        self.assertEqual([event["who"] for event in self.receiver.wait_for_events(self.path(), 2)],
                         ["nine", "nine text"])


class HeaderTest(ApiTest):
    def ids(self, client, **headers):
        return {each["id"] for each in client.get(BASE, **headers).results}

    def test_the_header_says_whose_webhooks_are_listed_and_found(self):
        everybody, primary, seven = self.create(), self.create(subaccount_id=0), self.create(subaccount_id=7)
        self.assertEqual(self.ids(self.api), {everybody, primary, seven})
        self.assertEqual(self.ids(self.api, x_msys_subaccount="7"), {seven})
        self.assertEqual(self.ids(self.api, x_msys_subaccount="0"), {primary})
        self.assertEqual(self.ids(self.api, x_msys_subaccount="9"), set())
        self.assertEqual(self.api.get(f"{BASE}/{seven}", x_msys_subaccount="7").status, 200)
        for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/batch-status"), ("POST", "/pause")):
            self.assert_error(self.api.call(method, f"{BASE}/{seven}{rest}", x_msys_subaccount="9"), 404,
                              message="Resource could not be found")

    def test_a_webhook_created_with_the_header_is_of_that_subaccount(self):
        created = self.api.post(BASE, self.body(), x_msys_subaccount="7").results
        self.assertEqual(self.api.webhook(created["id"])["subaccount_id"], 7)
        self.assertNotIn("address.policy", self.api.webhook(created["id"]).get("settings", {}))

    def test_statistics_are_of_the_subaccount_only(self):
        self.create()
        seven = self.create(subaccount_id=7)
        stats = self.api.get("/api/v1/stats", x_msys_subaccount="7").results
        self.assertEqual([each["id"] for each in stats["webhooks"]], [seven])
        self.assertNotIn("events", stats)


class BoundKeyTest(ApiTest):
    settings = {"address.allow": "127.0.0.1/32"}

    def setUp(self):
        self.bound = self.by(self.api.new_key("modify", 7))

    def test_a_bound_key_sees_and_changes_its_own_webhooks_only(self):
        foreign = self.create()
        own = self.bound.create(**self.body())
        self.assertEqual([each["id"] for each in self.bound.get(BASE).results], [own])
        self.assertEqual(self.api.webhook(own)["subaccount_id"], 7)
        for method, rest in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/validate"),
                             ("GET", "/batch-status"), ("GET", "/attempts"), ("POST", "/pause"),
                             ("POST", "/resume"), ("POST", "/retry")):
            body = {"name": "x"} if method == "PUT" else None
            self.assert_error(self.bound.call(method, f"{BASE}/{foreign}{rest}", body), 404,
                              message="Resource could not be found")
        self.assertEqual(self.bound.put(f"{BASE}/{own}", {"name": "Mine"}).status, 200)
        self.assertEqual(self.bound.delete(f"{BASE}/{own}").status, 204)

    def test_a_bound_key_may_name_its_own_subaccount_only(self):
        self.assertEqual(self.bound.get(BASE, x_msys_subaccount="7").status, 200)
        for number in ("0", "9"):
            self.assert_error(self.bound.get(BASE, x_msys_subaccount=number), 403, message="Forbidden")
        own = self.bound.create(**self.body(subaccount_id=7))
        for number in (-1, 0, 9):
            self.assertEqual(self.bound.post(BASE, self.body(subaccount_id=number)).status, 403)
            self.assertEqual(self.bound.put(f"{BASE}/{own}", {"subaccount_id": number}).status, 403)
        self.assertEqual(self.api.webhook(own)["subaccount_id"], 7)

    def test_a_webhook_of_a_bound_key_may_reach_public_addresses_only(self):
        own = self.bound.create(**self.body())
        self.assertEqual(self.api.webhook(own)["settings"]["address.policy"], "public")
        answer = self.bound.post(BASE, self.body(target="http://127.0.0.2:1/"))
        self.assertEqual((answer.status, answer.error["code"]), (400, "EACCES"))

    def test_a_bound_key_may_not_change_what_is_the_operators(self):
        own = self.bound.create(**self.body(settings={"batch.max_events": "10", "compression": "gzip"}))
        for key, value in (("address.policy", "any"), ("proxy", "http://127.0.0.1:3128"), ("tls.ca_file", "/etc/passwd"),
                           ("tls.client_cert", "/etc/passwd"), ("tls.verify", "off"),
                           ("webhook.max_spool_bytes", "1TiB"), ("connect.timeout", "1h"),
                           ("webhook.activation_delay", "0s"), ("subaccount", "all")):
            for answer in (self.bound.post(BASE, self.body(settings={key: value})),
                           self.bound.put(f"{BASE}/{own}", {"settings": {key: value}})):
                self.assertEqual((answer.status, answer.error["message"]), (403, "Forbidden"), key)
                self.assertIn(key, answer.error["description"])

    def test_the_page_of_the_original_can_send_a_bound_webhook_back(self):
        own = self.bound.create(**self.body())
        full = self.bound.webhook(own)
        full["name"] = "Renamed"
        self.assertEqual(self.bound.put(f"{BASE}/{own}", full).status, 200)
        self.assertEqual(self.api.webhook(own)["settings"]["address.policy"], "public")

    def test_a_bound_key_sees_its_own_statistics_and_no_metrics(self):
        self.create()
        own = self.bound.create(**self.body())
        self.assertEqual([each["id"] for each in self.bound.get("/api/v1/stats").results["webhooks"]], [own])
        self.assert_error(self.bound.get("/metrics"), 403, message="Forbidden")


class OwnAddressTest(ApiTest):
    settings = {"api.subaccount_address_policy": "any"}

    def test_the_operator_may_let_bound_keys_reach_any_address(self):
        bound = self.by(self.api.new_key("modify", 7))
        self.assertEqual(bound.post(BASE, self.body()).status, 200)


class RestartTest(RoutingTest):
    """Routing after a kill and a restart in durable mode, and of events that a producer pushed."""

    settings = {"spool.dir": "FOLDER/spool"}

    def test_routing_and_keys_survive_a_kill(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="posthaste-api-"))
        self.addCleanup(shutil.rmtree, folder)
        receiver = Receiver()
        self.addCleanup(receiver.end)
        # Nothing is sealed before the kill, so that what is routed is read back from the journal.
        first = Host(folder, {"spool.dir": folder / "spool", "batch.max_age": "1h"})
        api = Client(first.url)
        for name, (fields, _) in WEBHOOKS.items():
            api.create(**self.body(target=f"{receiver.url}/200/{name}", **fields))
        bound_key = api.new_key("view", 7)
        api.push(*events_to_push(), target="/api/v1/events?sync=true")
        api.close()
        first.kill()
        for path in WEBHOOKS:
            self.assertEqual(receiver.events(f"/200/{path}"), [])

        other_key = "another-key-of-the-tests-1"
        second = Host(folder, {"spool.dir": folder / "spool"}, key=other_key)
        self.addCleanup(second.end)
        # A key that left the key file of `serve` is revoked.
        after = Client(second.url, other_key if COMMAND else KEY)
        self.assertEqual(after.get(BASE, key=KEY).status, 401 if COMMAND else 200)
        self.addCleanup(after.close)
        self.assertEqual(len(after.get(BASE).results), len(WEBHOOKS))
        self.assertEqual(len(after.get(BASE, key=bound_key).results), 1)
        self.assertEqual({each["name"] for each in after.get("/api/v1/keys").results}, {"tests", KEY_NAME})
        for name, (_, expected) in WEBHOOKS.items():
            got = receiver.wait_for_events(f"/200/{name}", len(expected)) if expected else []
            self.assertEqual([event["who"] for event in got], expected, name)
        after.push(*events_to_push())
        for name, (_, expected) in WEBHOOKS.items():
            got = receiver.wait_for_events(f"/200/{name}", 2 * len(expected)) if expected else \
                receiver.events(f"/200/{name}")
            self.assertEqual([event["who"] for event in got], expected * 2, name)

    def test_events_of_a_producer_are_routed_by_their_subaccount(self):
        self.create_all()
        producer = ctypes.CDLL(os.environ["POSTHASTE_PRODUCER_LIBRARY"])
        producer.posthaste_conf_new.restype = ctypes.c_void_p
        producer.posthaste_error_new.restype = ctypes.c_void_p
        producer.posthaste_error_message.restype = ctypes.c_char_p
        error = ctypes.c_void_p(producer.posthaste_error_new())
        conf = ctypes.c_void_p(producer.posthaste_conf_new())

        def check(code):
            self.assertEqual(code, 0, producer.posthaste_error_message(error))

        for name, value in (("role", "producer"), ("spool.dir", str(self.folder / "spool"))):
            check(producer.posthaste_conf_set(conf, name.encode(), value.encode(), error))
        engine = ctypes.c_void_p()
        check(producer.posthaste_new(conf, ctypes.byref(engine), error))
        check(producer.posthaste_start(engine, error))
        for fields, name in EVENTS:
            number = fields.get("subaccount_id")
            text = "" if number is None else \
                f',"subaccount_id":"{number}"' if isinstance(number, str) else f',"subaccount_id":{number}'
            payload = f'{{"who":"{name}"{text}}}'.encode()
            check(producer.posthaste_push(engine, b"delivery", payload, ctypes.c_size_t(len(payload))))
        check(producer.posthaste_close(engine, 5000, error))
        producer.posthaste_free(engine)
        self.assert_routed()


if __name__ == "__main__":
    unittest.main()
