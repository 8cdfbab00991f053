"""AsyncEngine: tickets as awaitables and reports as an async iterator, on one event loop."""

import asyncio
import logging
import threading
import time
import unittest
from typing import Any, Awaitable, Callable, List

import posthaste
from binding_case import MESSAGE, BindingCase, events_of
from posthaste import _declarations, aio

Test = Callable[[posthaste.AsyncEngine], Awaitable[None]]


class Asyncio(BindingCase):
    def on_engine(self, test: Test, settings: Any = None, **options: Any) -> None:
        """Runs a test inside the block of an engine, and watches that the loop never stands still."""

        async def run() -> None:
            async with posthaste.AsyncEngine(settings, **options) as engine:
                await test(engine)

        asyncio.run(asyncio.wait_for(run(), 60), debug=True)

    def test_events_are_delivered_and_reports_iterated_until_close(self) -> None:
        receiver = self.receiver()
        kinds: List[str] = []

        async def main() -> None:
            engine = posthaste.AsyncEngine({"batch.max_age": "1ms"})
            engine.put("hook", {"name": "hook", "target": receiver.url, "events": "*"})

            async def watch() -> None:
                async for report in engine.reports():
                    kinds.append(report.kind)

            async with engine:
                watcher = asyncio.create_task(watch())
                engine.push("delivery", MESSAGE)
                engine.push("bounce", b"{}")
                await engine.flush()
            await asyncio.wait_for(watcher, 10)

        asyncio.run(main())
        self.assertEqual(len(receiver.events()), 2)
        self.assertEqual(set(kinds), {"delivered"})

    def test_every_ticket_form_is_awaited(self) -> None:
        receiver = self.receiver("--rule", "path=/bad;status=500;body=broken")

        async def test(engine: posthaste.AsyncEngine) -> None:
            webhook = await engine.create({"name": "a", "target": receiver.url + "/good", "events": "*"})
            self.assertEqual(engine.find(webhook.id)["name"], "a")
            await engine.update(webhook.id, {"name": "b"})
            self.assertEqual(engine.find(webhook.id)["name"], "b")
            await engine.verify(webhook.id)
            await engine.flush()
            await engine.sync()
            response = await engine.api_handle(posthaste.Request("GET", "/api/v1/webhooks", grant="view"))
            self.assertEqual((response.status, b'"b"' in response.body), (200, True))
            with self.assertRaises(posthaste.VerifyFailed) as caught:
                await engine.update(webhook.id, {"target": receiver.url + "/bad"})
            self.assertEqual((caught.exception.status, caught.exception.body), (500, b"broken"))
            with self.assertRaises(posthaste.NotFound):
                await engine.verify("none")
            self.assertEqual(await engine.spool_check(), [])
            self.assertEqual(await engine.dead_letter_replay(), 0)
            self.assertEqual(await engine.dead_letter_remove(), 0)
            self.assertEqual(await engine.purge(webhook.id), (0, 0))

        self.on_engine(test, {"spool.dir": self.folder + "/spool"})

    def test_sync_in_memory_mode_raises_state(self) -> None:
        async def test(engine: posthaste.AsyncEngine) -> None:
            with self.assertRaises(posthaste.State):
                await engine.sync()

        self.on_engine(test)

    def test_many_tickets_at_once_do_not_hold_up_the_loop(self) -> None:
        receiver = self.receiver("--rule", "delay-ms=300")
        gaps: List[float] = []

        async def watch() -> None:
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.005)
                gaps.append(time.monotonic() - before)

        async def test(engine: posthaste.AsyncEngine) -> None:
            watcher = asyncio.create_task(watch())
            made = await asyncio.gather(*(engine.create({"name": str(i), "target": receiver.url, "events": "*"})
                                          for i in range(8)))
            watcher.cancel()
            self.assertEqual(len({webhook.id for webhook in made}), 8)

        self.on_engine(test)
        self.assertGreater(len(gaps), 10)

    def test_a_cancelled_await_leaves_the_engine_usable(self) -> None:
        receiver = self.receiver("--rule", "path=/slow;delay-ms=500")

        async def test(engine: posthaste.AsyncEngine) -> None:
            webhook = {"name": "a", "target": receiver.url + "/slow", "events": "*"}
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(engine.create(webhook), 0.05)
            await engine.flush()
            self.assertEqual((await engine.create({**webhook, "target": receiver.url}))["name"], "a")

        self.on_engine(test)

    def test_other_threads_may_push(self) -> None:
        receiver = self.receiver()

        async def test(engine: posthaste.AsyncEngine) -> None:
            engine.put("hook", {"name": "hook", "target": receiver.url, "events": "*"})
            threads = [threading.Thread(target=engine.push, args=("delivery", {"a": i})) for i in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            await engine.flush()

        self.on_engine(test)
        self.assertEqual(sorted(event["a"] for event in events_of(receiver, 4)), [0, 1, 2, 3])

    def test_log_lines_go_to_the_logger(self) -> None:
        logger = logging.getLogger("posthaste.aio_test")
        logger.setLevel(logging.DEBUG)

        async def test(engine: posthaste.AsyncEngine) -> None:
            engine.library.log(engine.pointer, _declarations.LOG_ERROR, b"oh")
            await engine.flush()

        with self.assertLogs(logger, logging.ERROR) as caught:
            self.on_engine(test, logger=logger)
        self.assertEqual([record.getMessage() for record in caught.records], ["oh"])

    def test_reports_that_nobody_takes_are_bounded_and_counted(self) -> None:
        receiver = self.receiver()

        async def test(engine: posthaste.AsyncEngine) -> None:
            engine.put("hook", {"name": "hook", "target": receiver.url, "events": "*", "batch.max_events": 1})
            for _ in range(10):
                engine.push("delivery", b"{}")
            await engine.flush()
            found = []
            async for report in engine.reports():
                found.append(report)
                if len(found) == 4:
                    break
            self.assertEqual([report.kind for report in found], ["overflow", "delivered", "delivered", "delivered"])
            self.assertEqual(found[0].count, 7)

        keep, aio._REPORTS_MAX = aio._REPORTS_MAX, 3
        try:
            self.on_engine(test)
        finally:
            aio._REPORTS_MAX = keep

    def test_misuse_raises_state(self) -> None:
        engine = posthaste.AsyncEngine()
        asyncio.run(self.refused(engine.flush))

        async def started() -> None:
            await engine.start()

        asyncio.run(started())
        asyncio.run(self.refused(engine.flush))  # of another loop
        engine.library.call(engine.library.close, engine.pointer, 0)
        engine._is_open = False

    def test_calls_after_close_raise_state_and_a_second_close_does_nothing(self) -> None:
        async def main() -> None:
            engine = posthaste.AsyncEngine()
            await engine.close()
            engine = posthaste.AsyncEngine()
            await engine.start()
            await asyncio.gather(engine.close(), engine.close())
            await engine.close()
            for call in (engine.flush, engine.sync, engine.start):
                await self.refused(call)
            self.assertEqual([report async for report in engine.reports()], [])

        asyncio.run(main())

    def test_close_with_undelivered_events_raises_timed_out_and_the_block_does_so_too(self) -> None:
        receiver = self.receiver("--rule", "stop-at=before-head")

        async def test(engine: posthaste.AsyncEngine) -> None:
            engine.put("hook", {"name": "hook", "target": receiver.url, "events": "*"})
            engine.push("delivery", MESSAGE)

        self.raised(posthaste.TimedOut, self.on_engine, test, close_timeout=0.2)

    def test_what_the_block_raised_is_not_hidden(self) -> None:
        async def test(_engine: posthaste.AsyncEngine) -> None:
            raise KeyError("mine")

        self.raised(KeyError, self.on_engine, test)

    def test_a_loop_that_ends_before_the_engine_is_closed_does_no_harm(self) -> None:
        self.assertEqual(self.run_python("""
            import asyncio, posthaste
            async def main():
                engine = posthaste.AsyncEngine()
                await engine.start()
                engine.push("delivery", b"{}")
                return engine
            kept = asyncio.run(main())
            print("over")
        """), "over\n")

    async def refused(self, call: Callable[[], Awaitable[None]]) -> None:
        with self.assertRaises(posthaste.State):
            await call()


if __name__ == "__main__":
    unittest.main()
