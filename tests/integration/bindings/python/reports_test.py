"""Reports, tickets and the log from Python, and the registry's calls that answer at once."""

import copy
import json
import logging
import pathlib
import select
import signal
import subprocess
import sys
import threading
import time
import unittest
from typing import Any, List

import posthaste
from binding_case import MESSAGE, BindingCase, reports_of
from posthaste import _declarations
from waiting import wait_until


class Reports(BindingCase):
    def test_a_delivery_is_reported_with_all_its_numbers(self) -> None:
        receiver = self.receiver()
        engine = self.delivering(receiver)
        engine.push("delivery", MESSAGE)
        engine.flush()
        report = next(reports_of(engine, "delivered"))
        body = receiver.requests()[0]["body"]
        self.assertEqual((report.webhook_id, report.status, report.reached, report.events, report.attempts, report.bytes,
                          report.reason, report.code, report.ticket), ("hook", 200, "yes", 1, 1, len(body), "none", 0, 0))
        self.assertEqual(len(report.batch_id), 36)
        self.assertAlmostEqual(report.time_ms / 1000, time.time(), delta=60)
        self.assertEqual(sorted(report.timing_us), ["connect", "dns", "first_byte", "tls", "total"])
        self.assertIsNone(engine.poll())

    def test_a_failed_attempt_and_a_drop_are_reported(self) -> None:
        engine = self.delivering(self.receiver("--rule", "status=500"), {"retry.base": "1h", "retry.max": "1h"})
        engine.push("delivery", MESSAGE)
        engine.flush()
        retrying = next(reports_of(engine, "retrying"))
        self.assertEqual((retrying.status, retrying.attempts), (500, 1))
        self.assertGreater(retrying.next_try_ms, retrying.time_ms)
        engine.remove("hook", drop=True)
        dropped = next(reports_of(engine, "dropped"))
        self.assertEqual((dropped.reason, dropped.events, dropped.batch_id), ("removed", 1, retrying.batch_id))

    def test_every_kind_of_the_header_is_a_name_that_reports_can_have(self) -> None:
        kinds = {name[7:].lower() for name in vars(_declarations) if name.startswith("REPORT_")}
        documented = posthaste.Report.__doc__ or ""
        for kind in kinds:
            self.assertIn(f'"{kind}"', documented)

    def test_poll_waits_no_longer_than_told(self) -> None:
        engine = self.engine()
        started = time.monotonic()
        self.assertIsNone(engine.poll(0.5))
        self.assertTrue(0.45 < time.monotonic() - started < 3)
        self.assertIsNone(engine.poll())

    def test_poll_wakes_for_a_report_made_meanwhile(self) -> None:
        engine = self.engine()
        timer = threading.Timer(0.3, lambda: engine.flush_ticket())
        timer.start()
        report = engine.poll(None)
        assert report is not None
        self.assertEqual(report.kind, "ticket")
        timer.join()

    def test_the_descriptor_is_readable_when_reports_wait(self) -> None:
        engine = self.engine()
        poller = select.poll()
        poller.register(engine, select.POLLIN)
        self.assertEqual(poller.poll(0), [])
        ticket = engine.flush_ticket()
        self.assertEqual(poller.poll(10_000)[0][0], engine.fileno())
        self.assertEqual([report.ticket for report in engine.reports()], [ticket])

    def test_tickets_end_with_the_outcome_of_the_call_that_waits(self) -> None:
        receiver = self.receiver("--rule", "path=/bad;status=500;body=broken")
        engine = self.engine()
        good = {"name": "a", "target": receiver.url + "/good", "events": "*"}
        engine.put("w", good)
        begun = {"create": engine.create_ticket(good), "bad": engine.create_ticket({**good, "target": receiver.url + "/bad"}),
                 "update": engine.update_ticket("w", {"name": "b"}), "verify": engine.verify_ticket("w"),
                 "flush": engine.flush_ticket(),
                 "api": engine.api_handle_ticket(posthaste.Request("GET", "/health"))}
        self.raised(posthaste.State, engine.sync_ticket)
        ends = {report.ticket: report for report in reports_until(engine, len(begun))}
        for name in ("create", "update", "verify", "api"):
            self.assertEqual((ends[begun[name]].code, ends[begun[name]].error), (0, None))
        self.assertEqual(engine.find(ends[begun["create"]].webhook_id)["name"], "a")
        response = ends[begun["api"]].response
        assert response is not None
        self.assertEqual(response.status, 200)
        error = ends[begun["bad"]].error
        assert isinstance(error, posthaste.VerifyFailed)
        self.assertEqual((error.status, error.body, error.phase), (500, b"broken", "http"))
        closing = engine.close_ticket()
        self.assertEqual(wait_until(engine.poll, "the close").ticket, closing)

    def test_too_many_tickets_that_nobody_pulls_raise_queue_full(self) -> None:
        engine = self.engine()
        with self.assertRaises(posthaste.QueueFull):
            for _ in range(2000):
                engine.flush_ticket()

    def test_log_lines_go_to_the_logging_module_on_the_thread_that_pulls(self) -> None:
        logger = logging.Logger("mine", logging.DEBUG)
        records = []

        class Keeper(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                records.append((record.levelno, record.getMessage(), record.thread))

        logger.addHandler(Keeper())
        engine = self.engine(logger=logger)
        self.assertEqual((engine.get("log.reports"), engine.get("log.level")), ("debug", "debug"))
        engine.library.log(engine.pointer, _declarations.LOG_WARNING, b"100% strange")
        self.assertIsNone(engine.poll())
        self.assertIn((logging.WARNING, "100% strange", threading.get_ident()), records)

    def test_the_loggers_level_and_the_setting_decide_which_lines_come(self) -> None:
        for level, name in ((logging.INFO, "info"), (logging.WARNING, "warning"), (logging.ERROR, "error"),
                            (logging.CRITICAL, "off")):
            self.assertEqual(posthaste.Engine(logger=logging.Logger("mine", level)).get("log.reports"), name)
        self.assertEqual(posthaste.Engine({"log.reports": "off"}).get("log.reports"), "off")
        engine = self.engine({"log.reports": "warning"}, logger=None)
        engine.library.log(engine.pointer, _declarations.LOG_ERROR, b"oh")
        report = next(engine.reports(5))
        self.assertEqual((report.kind, report.message, report.level), ("log", "oh", _declarations.LOG_ERROR))

    def test_a_wait_for_reports_heeds_an_interrupt(self) -> None:
        program = ("import posthaste\n"
                   "engine = posthaste.Engine(); engine.start()\n"
                   "try:\n    print('waiting', flush=True)\n    engine.poll(None)\nexcept KeyboardInterrupt:\n    engine.close(); print('interrupted')\n")
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            self.assertEqual(process.stdout.readline(), "waiting\n")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.communicate(timeout=10)[0], "interrupted\n")


class Registry(BindingCase):
    def test_put_find_list_pause_and_remove(self) -> None:
        receiver = self.receiver()
        engine = self.engine()
        settings: Any = {"name": "one", "target": receiver.url, "events": ["delivery", "bounce"], "auth_token": "secret",
                         "header": {"X-A": "1"}, "batch.max_age": "2s", "active": True}
        engine.put("b", settings)
        engine.put("a", posthaste.Webhook(settings))
        found = engine.find("b")
        self.assertEqual((found.id, found["name"], found["events"], found["auth_token"], found["header.X-A"],
                          found["batch.max_age"], found["state"]),
                         ("b", "one", "delivery,bounce", "****", "****", "2s", "active"))
        self.assertEqual([webhook.id for webhook in engine.list()], ["b", "a"])
        self.assertNotIn("retry.base", found)
        self.raised(KeyError, lambda: found["retry.base"])
        engine.update("b", {"name": "two"})
        self.assertEqual(engine.find("b")["name"], "two")
        self.assertEqual(found["name"], "one")
        engine.pause("b")
        engine.push("bounce", MESSAGE)
        self.assertEqual(engine.find("b")["state"], "paused")
        engine.resume("b")
        engine.verify("b")
        engine.flush()
        engine.retry_now()
        engine.remove("b")
        self.raised(posthaste.NotFound, engine.retry_now, "b")
        self.assertEqual([webhook.id for webhook in engine.list()], ["a"])

    def test_a_webhook_is_written_and_read_in_the_shape_of_the_rest_api(self) -> None:
        document = {"name": "a", "target": "https://a.test/", "events": ["delivery"], "custom_headers": {"X-A": "1"},
                    "settings": {"batch.max_age": "2s"}}
        forms: List[Any] = [document, json.dumps(document), json.dumps(document).encode()]
        for given in forms:
            webhook = posthaste.Webhook.from_json(given)
            self.assertEqual(webhook["batch.max_age"], "2s")
            self.assertEqual({key: webhook.json()[key] for key in document}, document)
        other = copy.copy(webhook)
        other["name"] = "b"
        del other["batch.max_age"]
        self.assertEqual((webhook["name"], "batch.max_age" in webhook, "batch.max_age" in other), ("a", True, False))
        self.raised(posthaste.BadJson, posthaste.Webhook.from_json, "[")
        self.raised(posthaste.UnknownKey, posthaste.Webhook, {"no.such": "1"})

    def test_create_returns_the_webhook_as_it_was_registered(self) -> None:
        receiver = self.receiver()
        engine = self.engine()
        webhook = engine.create({"name": "a", "target": receiver.url, "events": "*"})
        self.assertEqual(receiver.requests()[0]["body"], '[{"msys":{}}]')
        self.assertEqual(engine.find(webhook.id)["state"], "activating")

    def test_a_file_of_webhooks_is_loaded_and_reconciled(self) -> None:
        path = pathlib.Path(self.folder) / "webhooks.json"
        path.write_text(json.dumps([{"name": "a", "target": "https://a.test/", "events": ["delivery"]}]))
        engine = self.engine()
        self.assertEqual(engine.load(path), {"added": 1, "changed": 0, "removed": 0, "unchanged": 0})
        self.assertEqual(engine.load(str(path))["unchanged"], 1)

    def test_keys_are_made_listed_and_revoked(self) -> None:
        engine = self.engine()
        made = engine.key_create("ci", "view", subaccount=7)
        engine.key_put("own", "k" * 20)
        self.assertEqual([(key["name"], key["grant"], key["subaccount"]) for key in engine.key_list()],
                         [("ci", "view", 7), ("own", "modify", None)])
        engine.key_revoke(made["id"])
        self.assertEqual(len(engine.key_list()), 1)
        self.raised(ValueError, engine.key_create, "a", "own")
        self.raised(ValueError, engine.key_create, "a", subaccount=-2)

    def test_numbers_of_open_batches_attempts_and_statistics(self) -> None:
        receiver = self.receiver("--rule", "first=1;status=500")
        engine = self.delivering(receiver, {"retry.base": "1ms"})
        engine.push("delivery", MESSAGE)
        wait_until(lambda: engine.open_batch("hook")[0] == 1, "the open batch")
        engine.flush()
        next(reports_of(engine, "delivered"))
        self.assertEqual(engine.open_batch("hook"), (0, 0))
        self.assertEqual(engine.batch_status("hook", successes=True)[0]["response_code"], "200")
        self.assertEqual(engine.stats()["events"]["accepted"], 1)
        self.raised(ValueError, engine.batch_status, "hook", limit=-1)


def reports_until(engine: posthaste.Engine, count: int) -> List[posthaste.Report]:
    found: List[posthaste.Report] = []
    while len(found) < count:
        report = engine.poll(10)
        assert report is not None
        if report.kind == "ticket":
            found.append(report)
    return found


if __name__ == "__main__":
    unittest.main()
