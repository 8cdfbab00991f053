"""`posthaste spool` on a spool directory: what it shows, changes, refuses, and that it sends and loses nothing."""

import ctypes
import json
import os
import pathlib
import tempfile
import time
import unittest

from command import Running, run

LIBRARY = ctypes.CDLL(os.environ["POSTHASTE_LIBRARY"])
for name in ("posthaste_conf_new", "posthaste_webhook_new", "posthaste_error_new", "posthaste_error_message"):
    getattr(LIBRARY, name).restype = ctypes.c_void_p


class Engine:
    """A server's engine on a spool directory, whose webhooks reach nobody."""

    def __init__(self, directory, **settings):
        self.error = ctypes.c_void_p(LIBRARY.posthaste_error_new())
        conf = ctypes.c_void_p(LIBRARY.posthaste_conf_new())
        keys = {"spool.dir": directory, "spool.file_bytes": "1MiB", "retry.base": "50ms", "retry.max": "50ms", **settings}
        for key, value in keys.items():
            self.must(LIBRARY.posthaste_conf_set(conf, key.encode(), value.encode(), self.error))
        self.handle = ctypes.c_void_p()
        self.must(LIBRARY.posthaste_new(conf, ctypes.byref(self.handle), self.error))
        LIBRARY.posthaste_conf_free(conf)
        self.must(LIBRARY.posthaste_start(self.handle, self.error))

    def must(self, code):
        if code != 0:
            raise AssertionError(ctypes.string_at(LIBRARY.posthaste_error_message(self.error)))

    def put(self, name):
        webhook = ctypes.c_void_p(LIBRARY.posthaste_webhook_new())
        for key, value in {"name": name, "target": "http://127.0.0.1:9/hook", "events": "*"}.items():
            self.must(LIBRARY.posthaste_webhook_set(webhook, key.encode(), value.encode(), self.error))
        self.must(LIBRARY.posthaste_put(self.handle, name.encode(), webhook, self.error))
        LIBRARY.posthaste_webhook_free(webhook)

    def push(self, count):
        """One batch of so many events."""
        for number in range(count):
            event = json.dumps({"event_id": str(number)}).encode()
            self.must(LIBRARY.posthaste_push(self.handle, b"delivery", event, ctypes.c_size_t(len(event))))
        self.must(LIBRARY.posthaste_flush(self.handle, 20000, self.error))
        self.must(LIBRARY.posthaste_sync(self.handle, 20000, self.error))

    def close(self):
        self.must(LIBRARY.posthaste_close(self.handle, 10000, self.error))
        LIBRARY.posthaste_free(self.handle)


class Spool(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.directory = str(self.folder / "spool")

    def fill(self, batches=2, **settings):
        engine = Engine(self.directory, **{"retry.base": "1h", "retry.max": "1h", **settings})
        engine.put("alpha")
        for number in range(batches):
            engine.push(number + 1)
        engine.close()

    def fill_with_dead_letters(self, count=2):
        engine = Engine(self.directory, **{"dead_letter": "on", "retry.max_age": "200ms"})
        engine.put("alpha")
        for _ in range(count):
            engine.push(3)
        time.sleep(1.5)
        engine.close()

    def spool(self, *arguments, expected=0):
        status, output, errors = run("spool", arguments[0], "--spool-dir", self.directory, *arguments[1:])
        self.assertEqual(status, expected, (arguments, output, errors))
        if expected:
            self.assertRegex(errors, r"\Aposthaste: [^\n]+\n\Z")
        return output if expected == 0 else errors

    def listed(self, *arguments):
        rows = json.loads(self.spool("list", "--json", *arguments))
        return rows["waiting"], rows["dead_letters"]

    def test_waiting_batches_are_listed_shown_and_exported(self):
        self.fill()
        waiting, dead = self.listed()
        self.assertEqual([row["events"] for row in waiting], [1, 2])
        self.assertEqual(dead, [])
        batch = waiting[1]["batch_id"]
        text = self.spool("list")
        self.assertIn(batch, text)
        self.assertRegex(text, r"\AKIND +BATCH +WEBHOOK")
        self.assertEqual(len(json.loads(self.spool("show", batch, "--json"))["records"]), 2)
        self.assertIn('"event_id": "1"', self.spool("show", batch))
        self.assertNotIn('"event_id": "1"', self.spool("show", batch, "--events=1"))
        lines = self.spool("export", batch).splitlines()
        self.assertEqual([list(json.loads(line)) for line in lines], [["msys"], ["msys"]])
        target = self.folder / "out.ndjson"
        self.spool("export", batch, waiting[0]["batch_id"], "--output", str(target))
        self.assertEqual(len(target.read_text().splitlines()), 3)
        self.spool("export", batch, "--output", str(target), expected=1)
        self.assertEqual(len(self.listed("--limit=1")[0]), 1)
        self.assertEqual(len(self.listed("--webhook=beta")[0]), 0)
        self.assertEqual(len(self.listed("--before=2020-01-31")[0]), 0)
        self.assertEqual(len(self.listed("--from=1h")[0]), 2)

    def test_looking_changes_nothing_though_batches_are_overdue(self):
        self.fill(**{"retry.max_age": "100ms"})
        before = self.listed()[0]
        time.sleep(0.3)
        self.spool("stats")
        self.assertEqual(self.listed()[0], before)
        self.assertEqual(len(before), 2)

    def test_stats_tell_what_waits(self):
        self.fill()
        text = self.spool("stats")
        self.assertRegex(text, r"waiting +2 batches, 3 events")
        self.assertRegex(text, r"alpha +alpha +active +2 +3\n")
        stats = json.loads(self.spool("stats", "--json"))
        self.assertEqual(stats["spool"]["waiting"]["events"], 3)

    def test_dead_letters_are_replayed_and_dropped(self):
        self.fill_with_dead_letters(3)
        waiting, dead = self.listed()
        self.assertEqual((len(waiting), len(dead)), (0, 3))
        self.assertEqual(len(self.listed("--dead", "--status=0")[1]), 3)
        self.assertEqual(len(self.listed("--dead", "--status=503")[1]), 0)
        self.assertEqual(self.spool("replay", dead[0]["batch_id"]), "1 dead letters replayed\n")
        self.assertEqual(self.spool("drop", dead[1]["batch_id"], "--json"), '{"dropped": 1}\n')
        waiting, rest = self.listed()
        self.assertEqual([row["batch_id"] for row in waiting], [dead[0]["batch_id"]])
        self.assertEqual([row["batch_id"] for row in rest], [dead[2]["batch_id"]])
        self.assertIn(dead[1]["batch_id"], self.spool("drop", dead[1]["batch_id"], expected=1))
        self.assertIn("--all", self.spool("replay", expected=2))
        self.assertEqual(self.spool("replay", "--all"), "1 dead letters replayed\n")

    def test_purge_gives_up_what_waits_for_one_webhook(self):
        self.fill()
        self.assertIn("nobody", self.spool("purge", "nobody", expected=1))
        self.assertEqual(self.spool("purge", "alpha"), "2 batches with 3 events given up\n")
        self.assertEqual(self.listed(), ([], []))

    def test_a_sound_spool_is_said_to_be_sound(self):
        self.fill()
        self.assertEqual(self.spool("check"), "the spool is sound\n")
        self.assertEqual(json.loads(self.spool("check", "--json")), [])

    def test_a_running_server_is_named_and_left_alone(self):
        self.fill()
        engine = Engine(self.directory)
        for command in ("stats", "list", "check", "replay --all", "purge alpha"):
            self.assertRegex(self.spool(*command.split(), expected=5),
                             rf"in use by process {os.getpid()}; stop that server first, or ask it over its REST API\n$")
        engine.close()

    def test_what_is_no_spool_is_refused_and_not_made_one(self):
        self.assertIn(self.directory, self.spool("stats", expected=1))
        os.mkdir(self.directory)
        self.assertIn("no spool in", self.spool("stats", expected=1))
        self.assertEqual(os.listdir(self.directory), [])
        self.fill()
        self.assertIn("no.such", self.spool("stats", "--set=no.such=1", expected=2))

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_the_spool_of_another_user_is_refused(self):
        self.fill()
        os.chown(f"{self.directory}/spool.db", 65534, -1)
        self.assertIn("belongs to user 65534", self.spool("stats", expected=1))


if __name__ == "__main__":
    unittest.main()
