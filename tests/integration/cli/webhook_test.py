"""`posthaste webhook`, `posthaste key` and how the server is named."""

import json
import os
import pathlib
import socket
import tempfile
import threading
import unittest

from command import Running, run, wait_until
from server import Server, events


class Webhook(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.server = Server(self.folder, "--set", "batch.max_age=50ms", "--set", "retry.base=1h", "--set", "retry.max=1h")
        self.addCleanup(self.server.__exit__)

    def sink(self, *arguments, name="sink"):
        sink = Running(self.folder, name, "sink", "--listen", "127.0.0.1:0", "--json", *arguments)
        self.addCleanup(sink.__exit__)
        return sink, json.loads(sink.line_with("listening"))["listening"]

    def webhook(self, *arguments, expected=0):
        status, output, errors = self.server.command("webhook", *arguments)
        self.assertEqual(status, expected, (arguments, output, errors))
        return output if expected == 0 else errors

    def shown(self, hook):
        return json.loads(self.webhook("show", hook, "--json"))

    def create(self, target, *arguments):
        return self.webhook("create", "--name", "hook", "--target", target, "--events", "delivery,open", *arguments).strip()

    def test_a_webhook_is_made_shown_changed_and_deleted(self):
        sink, target = self.sink()
        secret = self.folder / "secret"
        secret.write_text("t0ken\n")
        hook = self.create(target, "--token", f"@{secret}", "--header", "X-One=1", "--header", "X-Two= two", "--auth", "basic",
                           "--auth-user", "me", "--auth-password", "pw", "--set", "batch.max_events=7")
        shown = self.shown(hook)
        self.assertEqual(shown["events"], ["delivery", "open"])
        self.assertEqual(shown["custom_headers"], {"X-One": "****", "X-Two": "****"})
        sent = dict(json.loads(sink.line_with('"test":true'))["headers"])
        self.assertEqual((sent["X-One"], sent["X-Two"], sent["X-MessageSystems-Webhook-Token"]), ("1", "two", "t0ken"))
        self.assertEqual(shown["settings"]["batch.max_events"], "7")
        self.assertEqual((shown["auth_type"], shown["auth_credentials"]["username"]), ("basic", "me"))
        self.assertRegex(self.webhook("list"), rf"{hook} +hook +active +{target} +delivery,open")
        text = self.webhook("show", hook)
        self.assertRegex(text, r"settings +batch.max_events = 7\n")
        self.assertNotIn("t0ken", text)
        self.assertEqual(self.webhook("update", hook, "--name", "other", "--set", "batch.max_events=", "--no-headers").strip(), hook)
        shown = self.shown(hook)
        self.assertEqual((shown["name"], shown["custom_headers"]), ("other", {}))
        self.assertNotIn("batch.max_events", shown.get("settings", {}))
        self.webhook("update", hook, expected=2)
        self.assertEqual(self.webhook("delete", hook), "")
        self.assertIn("404", self.webhook("show", hook, expected=1))

    def test_a_failed_verification_prints_what_was_sent_and_what_came_back(self):
        _, target = self.sink("--fail", "418")
        errors = self.webhook("create", "--name", "x", "--target", target, "--events", "delivery", expected=1)
        for text in ("the server answered 400: ", "418", "what was sent:", f"POST {target}", "what came back:", "status 418"):
            self.assertIn(text, errors)
        errors = self.webhook("create", "--name", "x", "--target", "http://127.0.0.1:9/", "--events", "delivery", expected=1)
        self.assertIn("ECONNREFUSED", errors)

    def test_the_phase_of_a_failed_verification_is_told_by_create_update_and_test(self):
        _, target = self.sink("--fail", "418")
        hook = self.create(target, "--set", "verify=off")
        _, silent = self.sink("--fail", "timeout", name="silent")
        for phase, bad in (("dns", "http://nobody.invalid/"), ("connect", "http://127.0.0.1:9/"), ("http", target),
                           ("tls", target.replace("http:", "https:")), ("timeout", silent)):
            given = ["--set", "request.timeout=1s", "--set", "connect.timeout=1s"]
            errors = self.webhook("create", "--name", "x", "--events", "delivery", "--target", bad, *given, expected=1)
            self.assertIn(f"\n  phase: {phase}\n", errors)
            errors = self.webhook("update", hook, "--set", "verify=on", *given, "--target", f"{bad}?", expected=1)
            self.assertIn(f"\n  phase: {phase}\n", errors)
        self.assertIn("\n  phase: http\n", self.webhook("test", hook, expected=1))

    def test_a_webhook_is_tested_paused_resumed_and_retried(self):
        sink, target = self.sink("--fail", "503:first=3")
        hook = self.webhook("create", "--name", "hook", "--target", target, "--events", "delivery", "--set", "verify=off").strip()
        self.assertIn("503", self.webhook("test", hook, expected=1))
        message = self.folder / "message.json"
        message.write_text('[{"msys":{"x":{"type":"mine"}}}]')
        self.assertIn("503", self.webhook("test", hook, "--message", str(message), expected=1))
        self.assertIn("mine", sink.output())
        self.assertEqual(self.webhook("pause", hook), f"{hook} paused\n")
        self.assertEqual(self.webhook("resume", hook), f"{hook} active\n")
        self.server.api("POST", "/api/v1/events?sync=true", events(0, 3))
        wait_until(lambda: "503" in self.webhook("batches", hook), "a failed batch")
        self.webhook("retry", hook)
        wait_until(lambda: " 200 " in self.webhook("batches", hook, "--all"), "the batch to arrive")
        self.assertRegex(self.webhook("test", hook), r"(?s)succeeded.*status 200")

    def test_the_server_is_named_by_flag_environment_or_file(self):
        key = self.server.key
        file = self.folder / "config"
        file.write_text(f"url = {self.server.address}\napi-key-file = {self.server.key_file}\n")
        home = self.folder / "home"
        (home / ".config").mkdir(parents=True)
        (home / ".config" / "posthaste").write_text(f"url={self.server.address}/\napi-key={key}\n")
        nothing = {"HOME": str(self.folder)}
        for environment in ({"POSTHASTE_URL": self.server.address, "POSTHASTE_API_KEY": key, **nothing},
                            {"POSTHASTE_CONFIG": str(file), **nothing}, {"HOME": str(home)},
                            {"POSTHASTE_URL": self.server.address, "HOME": str(home)}):
            self.assertEqual(run("webhook", "list", environment=environment)[0], 0, environment)
        status, _, errors = run("webhook", "list", "--url", self.server.address, environment=nothing)
        self.assertEqual((status, errors), (4, "posthaste: the server answered 401: Unauthorized\n"))
        status, _, errors = run("webhook", "list", "--url", "http://127.0.0.1:9", environment=nothing)
        self.assertEqual(status, 3)
        self.assertRegex(errors, r"\Aposthaste: cannot reach http://127.0.0.1:9: [^\n]+\n\Z")
        file.write_text("urll = x\n")
        status, _, errors = run("webhook", "list", environment={"POSTHASTE_CONFIG": str(file)})
        self.assertEqual(status, 2)
        self.assertIn("urll", errors)

    def test_keys_are_made_listed_and_revoked_on_a_running_server_and_a_stopped_one(self):
        status, output, errors = self.server.command("key", "create", "viewer", "--grant", "view")
        self.assertEqual(status, 0, errors)
        key = output.strip()
        self.assertRegex(errors, r"\Aposthaste: key \S+ is shown this once\n\Z")
        listed = json.loads(self.server.command("key", "list", "--json")[1])
        self.assertEqual([(row["name"], row["grant"]) for row in listed], [("first key", "modify"), ("viewer", "view")])
        self.assertNotIn(key, json.dumps(listed))
        self.assertRegex(self.server.command("key", "list")[1], r"viewer +view +all")
        self.assertEqual(run("webhook", "list", "--url", self.server.address, "--api-key", key)[0], 0)
        self.assertEqual(run("webhook", "delete", "x", "--url", self.server.address, "--api-key", key)[0], 4)
        self.assertEqual(run("key", "list", "--spool-dir", self.server.spool)[0], 5)
        self.assertEqual(self.server.end(), 0)
        spool = ["--spool-dir", self.server.spool]
        status, output, _ = run("key", "create", "third", "--subaccount", "7", "--json", *spool)
        self.assertEqual(status, 0)
        made = json.loads(output)
        self.assertEqual((made["name"], made["subaccount"]), ("third", 7))
        self.assertEqual(run("key", "revoke", listed[1]["id"], *spool)[0], 0)
        self.assertEqual(run("key", "revoke", listed[1]["id"], *spool)[0], 1)
        again = Server(self.folder, name="again")
        self.addCleanup(again.__exit__)
        self.assertEqual(run("webhook", "list", "--url", again.address, "--api-key", key)[0], 4)
        self.assertEqual(run("webhook", "list", "--url", again.address, "--api-key", made["key"])[0], 0)

    def test_messages_of_others_steer_no_terminal(self):
        with socket.socket() as hostile:
            hostile.bind(("127.0.0.1", 0))
            hostile.listen()
            threading.Thread(target=self.answer_hostile, args=(hostile,), daemon=True).start()
            errors = self.webhook("create", "--name", "x", "--target", f"http://127.0.0.1:{hostile.getsockname()[1]}/", "--events",
                                  "delivery", expected=1)
        self.assertIn("\\x1b[2J", errors)
        self.assertNotIn("\x1b", errors)

    @staticmethod
    def answer_hostile(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 500 no\r\nX-Evil: a\r\nContent-Length: 6\r\n\r\n\x1b[2Jx\n")


if __name__ == "__main__":
    unittest.main()
