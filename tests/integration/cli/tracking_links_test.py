"""Tracking links answered by `posthaste serve`, made as docs/engagement.md shows for any language: its own block runs here."""

import http.client
import json
import pathlib
import re
import signal
import tempfile
import unittest

from command import WAIT_S, run, wait_until
from event_receiver import EventReceiver
from mail_case import ROOT, Catalogue
from server import Server

BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
DOCUMENT = {}
exec(BLOCK.search((ROOT / "docs" / "engagement.md").read_text(encoding="utf-8")).group(1), DOCUMENT)

URL = "https://links.test/mail"
KEYS = ["first-key-of-this-test", "second-key-of-this-test"]
BROWSER = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"
# Every field that links carry, with values as a host may have them.
CONTEXT = {
    "message_id": "m-1", "transmission_id": 65, "rcpt_to": "a@b.test", "raw_rcpt_to": "A@b.test", "friendly_from": "n@shop.test",
    "msg_from": "bounce@shop.test", "subject": "Grüße \"x\"", "customer_id": 1, "subaccount_id": 7, "campaign_id": "c",
    "template_id": "t", "template_version": 2, "rcpt_meta": {"k": "v"}, "rcpt_tags": ["x", "y"], "ip_pool": "p",
    "routing_domain": "b.test", "msg_size": 1234, "recv_method": "esmtp", "delv_method": "esmtp", "transactional": "1",
    "type": "injection", "event_id": "no", "timestamp": "no", "error_code": "550"}


def link(kind, context=None, target="", key=KEYS[0], name=""):
    """The path of a link."""
    url = DOCUMENT["tracking_url"](URL, key, kind, CONTEXT if context is None else context, target, name)
    return url.removeprefix("https://links.test")


class TrackingLinks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.receiver = EventReceiver()
        self.addCleanup(self.receiver.go_down)
        self.key_file = self.folder / "link-keys"
        self.key_file.write_text("# the first signs\n" + "\n".join(KEYS) + "\n")

    def serve(self, *arguments):
        webhooks = self.folder / "webhooks.json"
        webhooks.write_text(json.dumps([{"name": "hook", "target": self.receiver.url, "events": ["*"]}]))
        self.server = Server(self.folder, "--engagement-url", URL, "--engagement-key-file", self.key_file, "--webhooks", webhooks,
                             "--set", "batch.max_age=50ms", *arguments)
        self.addCleanup(self.server.__exit__)
        return self.server

    def ask(self, path, method="GET", body=None, headers=None):
        """One request as a mail program sends it: the public name as its Host."""
        address = self.server.address.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(address[0], int(address[1]), timeout=WAIT_S)
        connection.request(method, path, body, {"Host": "links.test", "User-Agent": BROWSER, **(headers or {})})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, answer.headers, body

    def told(self, count):
        """Waits for so many events: (class, event) each."""
        return wait_until(lambda: len(self.receiver.records()) >= count and self.receiver.records(), f"{count} events")

    def test_each_kind_of_link_tells_a_valid_event_with_what_context_and_request_said(self):
        self.serve()
        headers = {"Accept-Language": "nb-NO"}
        for kind in ("open", "initial_open"):
            status, answered, body = self.ask(link(kind), headers=headers)
            self.assertEqual((status, answered["Content-Type"], body[:6]), (200, "image/gif", b"GIF89a"))
            self.assertEqual(answered.get_all("X-Content-Type-Options"), ["nosniff"])
        for kind in ("click", "unsubscribe"):
            status, answered, _ = self.ask(link(kind, target="https://shop.test/?a=1&b=2", name="Deal"), headers=headers)
            self.assertEqual((status, answered["Location"]), (302, "https://shop.test/?a=1&b=2"))
        status, answered, body = self.ask(link("list_unsubscribe"))
        self.assertEqual((status, b"<form" in body), (200, True))
        status, _, _ = self.ask(link("list_unsubscribe"), "POST", "List-Unsubscribe=One-Click",
                                {"Content-Type": "application/x-www-form-urlencoded", "Origin": "null"})
        self.assertEqual(status, 200)
        told = self.told(5)
        catalogue = Catalogue()
        self.assertEqual([problem for kind, event in told for problem in catalogue.problems(kind, event)], [])
        self.assertEqual({(kind, event["type"]) for kind, event in told},
                         {("track_event", "open"), ("track_event", "initial_open"), ("track_event", "click"),
                          ("unsubscribe_event", "link_unsubscribe"), ("unsubscribe_event", "list_unsubscribe")})
        for kind, event in told:
            documented = catalogue.fields(event["type"])
            for name, value in CONTEXT.items():
                if name in documented and name not in ("type", "event_id", "timestamp"):
                    self.assertEqual(event[name], str(value) if isinstance(value, int) else value, (event["type"], name))
            self.assertNotIn("error_code", event)
            self.assertEqual((event["recipient_domain"], event["sending_domain"], event["ip_address"]),
                             ("b.test", "shop.test", "127.0.0.1"))
            for name, value in (("user_agent", BROWSER), ("accept_language", "nb-NO"),
                                ("target_link_url", "https://shop.test/?a=1&b=2"), ("target_link_name", "Deal"),
                                ("mailfrom", "bounce@shop.test"),
                                ("user_agent_parsed", {"is_mobile": True, "is_proxy": False, "is_prefetched": False})):
                if name in documented:
                    self.assertEqual(event[name], value, (event["type"], name))

    def test_links_work_with_and_without_the_path_of_their_url(self):
        self.serve()
        path = link("open")
        for asked in (path, path.removeprefix("/mail"), path + "?utm=x"):
            self.assertEqual(self.ask(asked)[0], 200)
        self.assertEqual(len(self.told(3)), 3)
        self.assertEqual(self.ask("/other" + path)[0], 403)

    def test_forged_altered_and_huge_links_are_404_and_tell_nothing(self):
        self.serve()
        good = link("click", target="https://shop.test/")
        forged = [link("click", target="https://evil.test/", key="a-key-of-somebody-else"), good[:-1], good + "A", good + "=",
                  good.replace("/t/", "/t/A"), "/t/", "/mail/t/", "/t/" + "A" * 8192, "/t/https://evil.test/",
                  "/t/..%2f..%2fetc", "/t/%0d%0aLocation:%20https://evil.test"]
        start = good.index("/t/") + 3
        forged += [good[:i] + ("B" if good[i] == "A" else "A") + good[i + 1:] for i in range(start, len(good), 7)]
        for path in forged:
            status, headers, _ = self.ask(path)
            self.assertEqual((status, headers["Location"]), (404, None), path)
        self.assertIn(self.ask("/t/" + "A" * 20000)[0], (414, 431))
        for target in ("javascript:alert(1)", "//evil.test/", "https:evil.test", "/x", "data:text/html,x",
                       "https://a.test/\r\nSet-Cookie: x=y"):
            self.assertEqual(self.ask(link("click", target=target))[0], 404, target)
        self.assertEqual(self.ask(link("open"))[0], 200)
        self.assertEqual([event["type"] for _, event in self.told(1)], ["open"])

    def test_one_click_posts_are_lasting_before_they_are_answered(self):
        self.receiver.go_down()
        self.serve()
        self.assertEqual(self.ask(link("list_unsubscribe"), "POST", "List-Unsubscribe=One-Click")[0], 200)
        self.server.process.kill()
        self.server.process.wait()
        self.receiver.come_back()
        self.serve()
        self.assertEqual([event["type"] for _, event in self.told(1)], ["list_unsubscribe"])

    def test_machines_are_told_from_people(self):
        self.serve()
        path = link("click", target="https://shop.test/")
        for method, headers in (("HEAD", {}), ("GET", {"Sec-Purpose": "prefetch;prerender"}), ("GET", {"X-Moz": "prefetch"}),
                                ("GET", {"User-Agent": "Somebot/2.0"}), ("GET", {"User-Agent": "curl/8.0"})):
            status, answered, body = self.ask(path, method, headers=headers)
            self.assertEqual((status, answered["Location"], body), (302, "https://shop.test/", b""))
        told = [event for _, event in self.told(5)]
        self.assertEqual([event["user_agent_parsed"]["is_prefetched"] for event in told], [True] * 5)
        self.assertEqual(self.ask(link("unsubscribe", target="https://shop.test/"), "HEAD")[0], 302)
        self.assertEqual(self.told(6)[5][1]["type"], "click")

    def test_a_proxy_is_believed_when_it_is_configured_and_not_before(self):
        forwarded = {"X-Forwarded-For": "198.51.100.1, 192.0.2.7"}
        self.serve()
        self.ask(link("open"), headers=forwarded)
        self.assertEqual(self.told(1)[0][1]["ip_address"], "127.0.0.1")
        self.assertEqual(self.server.end(), 0)
        self.serve("--set", "engagement.proxies=127.0.0.1")
        self.ask(link("open"), headers=forwarded)
        self.assertEqual(self.told(2)[1][1]["ip_address"], "192.0.2.7")

    def test_keys_change_with_a_hangup(self):
        self.serve()
        old, new = link("open", key=KEYS[1]), link("open", key="third-key-of-this-test")
        self.assertEqual((self.ask(old)[0], self.ask(new)[0]), (200, 404))
        self.key_file.write_text(f"third-key-of-this-test\n{KEYS[0]}\n")
        self.server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.ask(new)[0] == 200, "the new key")
        self.assertEqual((self.ask(old)[0], self.ask(link("open"))[0]), (404, 200))
        self.key_file.write_text("short\n")
        self.server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload: nothing changed" in self.server.errors(), "the refusal")
        self.assertEqual(self.ask(new)[0], 200)
        for key in (*KEYS, "third-key-of-this-test", "short"):
            self.assertNotIn(key, self.server.errors())

    def test_the_log_has_no_link(self):
        self.serve("--set", "log.level=debug")
        path = link("open")
        self.ask(path)
        self.ask(path[:-1])
        wait_until(lambda: "GET /mail/t/... 404" in self.server.errors(), "the line of the request")
        self.assertNotIn(path[-40:-1], self.server.errors())

    def test_an_initial_open_is_told_once(self):
        self.serve()
        for _ in range(3):
            self.assertEqual(self.ask(link("initial_open"))[0], 200)
            self.assertEqual(self.ask(link("initial_open", {"message_id": "m-1", "rcpt_to": "other@b.test"}))[0], 200)
        self.ask(link("open"))
        told = [event["type"] for _, event in self.told(3)]
        self.assertEqual(sorted(told), ["initial_open", "initial_open", "open"])

    def test_what_serve_is_not_told_or_told_wrongly_it_does_not_answer(self):
        folder = ["serve", "--listen", "127.0.0.1:0", "--memory"]
        for arguments, problem in ((["--engagement-url", "https://x.test"], "engagement.keys is needed"),
                                   (["--engagement-key-file", self.key_file], "engagement.url is needed"),
                                   (["--engagement-url", "links.test", "--engagement-key-file", self.key_file], "--engagement-url"),
                                   (["--set", "engagement.url=links.test"], "engagement.url"),
                                   (["--engagement-key-file", self.folder / "none"], "none"),
                                   (["--set", "engagement.nosuch=1"], "nosuch")):
            status, _, errors = run(*folder, *arguments)
            self.assertEqual(status, 2, errors)
            self.assertIn(problem, errors)


class WithoutLinks(unittest.TestCase):
    def test_without_keys_there_are_no_links(self):
        with tempfile.TemporaryDirectory() as folder, Server(folder) as server:
            self.assertEqual(server.api("GET", link("open"))[0], 404)


if __name__ == "__main__":
    unittest.main()
