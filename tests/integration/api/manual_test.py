"""Runs the examples of docs/rest-api.md, in their order, and compares the answers.

An example is two ```http blocks, request and answer. What differs from run to run (ids, times, URLs, numbers that are no
status) needs only be of the same kind; ids of earlier answers stand for the real ones in later requests. "...": "..." and
an entry "..." mean that there is more.
"""

import json
import os
import pathlib
import re
import unittest

from api_case import KEY, KEY_NAME, ApiTest, basic, wait_until

PAGE = pathlib.Path(os.environ["POSTHASTE_ROOT"]) / "docs" / "rest-api.md"
BLOCKS = re.compile(r"^```http\n(?P<request>.*?)^```\n```http\n(?P<answer>.*?)^```$", re.M | re.S)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
VOLATILE = [re.compile(rf"^{UUID.pattern}$"), re.compile(r"^https?://"), re.compile(r"^\d{4}-\d\d-\d\d[ T]")]
VOLATILE_NUMBERS = {"sequence", "bytes", "attempts", "failures", "latency", "sealed_ms", "died_ms", "created_ms",
                    "accepted", "seconds"}
MORE = "..."


class Message:
    """A request or an answer: first line, headers, body."""

    def __init__(self, text):
        head, _, self.body = text.partition("\n\n")
        self.first, *lines = head.strip().split("\n")
        self.headers = dict(line.split(": ", 1) for line in lines)


class ManualTest(ApiTest):
    settings = {"spool.dir": "FOLDER/spool"}

    def setUp(self):
        self.ids = {}
        self.receiver.script("/example-webhook", (200, {"Content-Type": "text/plain"}, b"OK"))

    def real(self, text):
        """With the ids and addresses of this run."""
        text = UUID.sub(lambda found: self.ids.get(found.group(), found.group()), text)
        return text.replace("http://client.example.com", self.receiver.url)

    def compare(self, shown, real, where):
        if isinstance(shown, dict):
            self.assertIsInstance(real, dict, where)
            names = {name for name in shown if name != MORE}
            if MORE in shown:
                self.assertLessEqual(names, set(real), where)
            else:
                self.assertEqual(names, set(real), where)
            for name in names:
                self.compare(shown[name], real[name], f"{where}.{name}")
        elif isinstance(shown, list):
            self.assertIsInstance(real, list, where)
            entries = [each for each in shown if each != MORE]
            if MORE in shown:
                self.assertGreaterEqual(len(real), len(entries), where)
            else:
                self.assertEqual(len(real), len(entries), where)
            for number, (each, one) in enumerate(zip(entries, real)):
                self.compare(each, one, f"{where}[{number}]")
        else:
            self.compare_value(shown, real, where)

    def compare_value(self, shown, real, where):
        self.assertIs(type(shown), type(real), where)
        if shown == MORE or (where.split(".")[-1] in VOLATILE_NUMBERS and isinstance(real, int)):
            return
        if isinstance(shown, str):
            for kind in VOLATILE:
                if kind.match(shown):
                    self.assertRegex(real, kind, where)
                    if UUID.fullmatch(shown):
                        self.ids[shown] = real
                    return
        self.assertEqual(shown, real, where)

    def push(self):
        self.api.push({"type": "delivery", "rcpt_to": "a@b.test"})

    def is_idle(self):
        stats = self.api.get("/api/v1/stats").results
        return all(each["events"]["routed"] == each["events"]["delivered"] for each in stats["webhooks"]) and \
            stats["events"]["accepted"] == 3

    def prepare(self, request):
        """What has to have happened before an example."""
        path = request.first.split(" ")[1]
        if "/batch-status" in path:
            self.receiver.script("/example-webhook", 503, 200)
            self.push()
            url = self.real(path)
            wait_until(lambda: [each for each in self.api.get(url).results if "failure_code" not in each],
                       "a recovery")
        elif path.startswith("/api/v1/dead-letters?"):
            wait_until(self.is_idle, "the delivery of what was pushed")
            self.receiver.script("/example-webhook", 503)
            self.push()
            url = self.real(path)
            wait_until(lambda: self.api.get(url).results, "a dead letter")
        elif path.startswith("/api/v1/webhooks?timezone"):
            wait_until(lambda: self.api.get(path).results[0]["state"] == "active", "the activation")

    def run_example(self, request, answer):
        self.prepare(request)
        method, path = request.first.split(" ")
        headers = {name.replace("-", "_"): {"KEY": KEY, "Basic KEY": basic(KEY)}.get(value, value)
                   for name, value in request.headers.items()}
        headers.setdefault("Authorization", None)
        got = self.api.call(method, self.real(path), self.real(request.body) if request.body else None, **headers)
        self.assertEqual(got.status, int(answer.first.split(" ")[1]), (request.first, got.body))
        for name, value in answer.headers.items():
            self.assertEqual(got.headers[name], value, request.first)
        if answer.body:
            shown = answer.body.replace('"name": "tests"', f'"name": "{KEY_NAME}"')
            self.compare(json.loads(shown), got.json, request.first)
        else:
            self.assertEqual(got.body, b"")

    def test_every_example_of_the_manual_is_answered_as_it_says(self):
        text = PAGE.read_text(encoding="utf-8")
        examples = list(BLOCKS.finditer(text))
        self.assertEqual(2 * len(examples), len(re.findall(r"^```http$", text, re.M)))
        for example in examples:
            self.run_example(Message(example["request"]), Message(example["answer"]))

    def test_every_route_is_in_the_manual(self):
        text = PAGE.read_text(encoding="utf-8")
        table = (PAGE.parent.parent / "src" / "api" / "handler.cpp").read_text(encoding="utf-8")
        for method, path in re.findall(r'\{"([A-Z]+)", "([^"]+)", Needs', table):
            pattern = re.escape("/" + path).replace(r"\{id\}", r"(\{\w+\}|[\w-]+)")
            is_there = re.search(f"{method} {pattern}(?![/\\w])", text) or path.endswith("openapi.json")
            self.assertTrue(is_there, (method, path))


if __name__ == "__main__":
    unittest.main()
