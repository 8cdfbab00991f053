"""AsyncEngine, for programs of one event loop: reports as an async iterator, and everything that waits as a coroutine.
No thread waits for anything: tickets and reports come by the library's descriptor, which the loop watches."""

import asyncio
import logging
import os
from collections import deque
from types import TracebackType
from typing import Any, AsyncIterator, Callable, Deque, Dict, List, Optional, Tuple, Type, TypeVar, Union

from ._library import to_bytes, to_ms
from ._registry import Registry, WebhookLike, description
from .engine import LOGGER
from .errors import State
from .report import Report
from .rest import Request, RequestHandle, Response
from .values import Settings
from .webhook import Webhook

# Reports that wait for an iterator; beyond it the oldest is lost and counted, as the library does.
_REPORTS_MAX = 10_000
# Reports taken in one go, so that a flood of them does not hold up the loop.
_ROUND = 256
_Result = TypeVar("_Result")


class AsyncEngine(Registry):
    """An engine of an event loop.

    Purpose: as Engine, with `async with`, `await` and `async for`. push, put and the rest of Registry do not wait and
    are plain calls. Ownership: as Engine; `close` or leave its block before the loop ends. Threads: the loop's, except
    for push, wants and check, which any thread may call. Invariants: started, watched and closed by one loop; each
    ticket's future is ended once.
    """

    def __init__(self, settings: Optional[Settings] = None, *, logger: Optional[logging.Logger] = LOGGER,
                 close_timeout: Optional[float] = 10.0) -> None:
        super().__init__(settings, logger)
        to_ms(close_timeout)
        self.close_timeout = close_timeout
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._tickets: Dict[int, "asyncio.Future[Report]"] = {}
        self._waiting: Deque[Report] = deque()
        self._waiters: Deque["asyncio.Future[None]"] = deque()
        self._closing: Optional["asyncio.Future[Report]"] = None
        self._lost = 0
        self._is_over = False

    # ---- Life

    async def start(self) -> None:
        """Starts the worker threads; in durable mode the spool is opened on a thread of the loop's pool."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._start)
        self._loop = loop
        loop.add_reader(self.fileno(), self._readable)

    async def close(self, timeout: Optional[float] = 10.0) -> None:
        """As Engine.close. Ends the iteration over reports once all are taken."""
        timeout_ms = to_ms(timeout)
        if self._is_over:
            return
        if self._loop is None:
            self.library.call(self.library.close, self.pointer, timeout_ms)
            self._is_over = True
            return
        self._is_open = False
        if self._closing is None:
            self._closing = self._begin(self.library.close_ticket, timeout_ms)
        # One close for all who ask, and it goes on when one of them is cancelled.
        report = await asyncio.shield(self._closing)
        self._unwatch()
        if report.error is not None:
            raise report.error

    async def __aenter__(self) -> "AsyncEngine":
        if self._loop is None:
            await self.start()
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]], _error: Optional[BaseException],
                        _traceback: Optional[TracebackType]) -> None:
        try:
            await self.close(self.close_timeout)
        except Exception:
            if kind is None:
                raise

    # ---- Tickets

    async def create(self, webhook: WebhookLike) -> Webhook:
        """As Engine.create; wrap it in asyncio.wait_for for a time-out of your own."""
        report = await self._complete(self.library.create_ticket, description(webhook))
        return self.find(report.webhook_id)

    async def update(self, webhook_id: str, webhook: WebhookLike) -> None:
        await self._complete(self.library.update_ticket, to_bytes(webhook_id, "id"), description(webhook))

    async def verify(self, webhook_id: str) -> None:
        await self._complete(self.library.verify_ticket, to_bytes(webhook_id, "id"))

    async def flush(self) -> None:
        await self._complete(self.library.flush_ticket)

    async def sync(self) -> None:
        await self._complete(self.library.sync_ticket)

    async def api_handle(self, request: Request) -> Response:
        with RequestHandle(self.library, request) as pointer:
            ticket = self._begin(self.library.api_handle_ticket, pointer)
        report = await ticket
        if report.error is not None or report.response is None:
            raise report.error or State("the request has no answer")
        return report.response

    # ---- What has no ticket waits on a thread of the loop's pool

    async def dead_letter_replay(self, timeout: Optional[float] = 60.0, **settings: Union[str, int, None]) -> int:
        return await self._in_pool(self._replay, to_ms(timeout), settings)

    async def dead_letter_remove(self, timeout: Optional[float] = 60.0, **settings: Union[str, int, None]) -> int:
        return await self._in_pool(self._remove_dead, to_ms(timeout), settings)

    async def purge(self, webhook_id: str, timeout: Optional[float] = 60.0) -> Tuple[int, int]:
        return await self._in_pool(self._purge, webhook_id, to_ms(timeout))

    async def spool_check(self, timeout: Optional[float] = 60.0) -> List[str]:
        return await self._in_pool(self._spool_check, to_ms(timeout))

    # ---- Reports

    async def reports(self) -> AsyncIterator[Report]:
        """All reports but those of awaited tickets, as they come, until the engine is closed. Of several iterators each
        gets some."""
        while True:
            if self._lost:
                count, self._lost = self._lost, 0
                yield Report("overflow", f"{count} reports were lost: nobody took them", count=count)
            elif self._waiting:
                yield self._waiting.popleft()
            elif self._is_over:
                return
            else:
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.append(waiter)
                await waiter

    # ---- The descriptor

    def _readable(self) -> None:
        try:
            os.read(self.fileno(), 4096)
        except BlockingIOError:
            pass
        self._take()

    def _take(self) -> None:
        for _ in range(_ROUND):
            report = self._pull(0)
            if report is None:
                return
            future = self._tickets.pop(report.ticket, None) if report.ticket else None
            if future is None:
                self._keep(report)
            elif not future.done():
                future.set_result(report)
        if self._loop is not None:
            self._loop.call_soon(self._take)

    def _keep(self, report: Report) -> None:
        if len(self._waiting) == _REPORTS_MAX:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(report)
        self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                if not self._is_over:
                    return

    def _begin(self, function: Callable[..., int], *arguments: Any) -> "asyncio.Future[Report]":
        if self._loop is not asyncio.get_running_loop():
            raise State("the engine is not started by this event loop")
        # The report comes by this very loop, so not before the future is there.
        ticket = self._ticket(function, *arguments)
        future: "asyncio.Future[Report]" = self._loop.create_future()
        self._tickets[ticket] = future
        return future

    async def _complete(self, function: Callable[..., int], *arguments: Any) -> Report:
        report = await self._begin(function, *arguments)
        if report.error is not None:
            raise report.error
        return report

    async def _in_pool(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)

    def _unwatch(self) -> None:
        if self._loop is None or self._is_over:
            return
        self._loop.remove_reader(self.fileno())
        while True:
            report = self._pull(0)
            if report is None:
                break
            future = self._tickets.pop(report.ticket, None) if report.ticket else None
            if future is not None and not future.done():
                future.set_result(report)
            elif future is None:
                self._keep(report)
        self._is_over = True
        self._wake()
