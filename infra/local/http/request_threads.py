"""The threads that run requests. Waits, short calls and health have pools of their own: none stops the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from functions.http.long_poll import ANSWER_SECS
from functions.http.parameters import LONG_POLL_MAX_SECS, SUBMIT_MAX_SECS
from infra.local.http.answers import HttpAnswer, gateway_answer, read_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.http.resolver import Route, Wait
    from infra.local.http.answers import Receive, Scope
    from infra.local.invoker import LambdaContext


# A bounded amount of something that projects share fairly: threads, connections, bytes.


class NoShareError(Exception):
    """There is not enough left. `is_own_fault`: this owner already holds its share."""

    def __init__(self, *, is_own_fault: bool) -> None:
        super().__init__()
        self.is_own_fault = is_own_fault


class FairShares:
    """An owner gets more while it holds less than is left.

    So one owner alone gets half, two get a third each, ten an eleventh each: some is always left for another one.
    For one thread only: the event loop's.
    """

    def __init__(self, total: int) -> None:
        self._total = self._left = total
        self._held: Counter[str] = Counter()

    def take(self, owner: str, amount: int = 1) -> bool:
        """Take an amount; False if it is more than this owner may have now."""
        if not amount:  # an owner that holds more than is left may still send requests without a body
            return self._held[owner] <= self._total // 2
        if self._held[owner] + amount > self._left:
            return False
        self.add(owner, amount)
        return True

    def add(self, owner: str, amount: int) -> None:
        """Take what cannot be refused any more."""
        self._held[owner] += amount
        self._left -= amount

    def give(self, owner: str, amount: int = 1) -> None:
        self._left += amount
        self._held[owner] -= amount
        if not self._held[owner]:
            del self._held[owner]

    @contextmanager
    def holding(self, owner: str) -> Iterator[Held]:
        """Give everything back at the end that was taken in between."""
        held = Held(self, owner)
        try:
            yield held
        finally:
            if held.amount:
                self.give(owner, held.amount)

    def holds(self, owner: str) -> bool:
        return owner in self._held


class Held:
    """What one request of an owner holds."""

    def __init__(self, shares: FairShares, owner: str) -> None:
        self._shares = shares
        self._owner = owner
        self.amount = 0

    def take(self, amount: int) -> None:
        """Take more. Raises NoShareError."""
        if not self._shares.take(self._owner, amount):
            raise NoShareError(is_own_fault=self._shares.holds(self._owner))
        self.amount += amount

    def add(self, amount: int) -> None:
        """Take more, whether it is left or not."""
        if amount:
            self._shares.add(self._owner, amount)
            self.amount += amount


# A pool of threads for requests, which projects share fairly.


class FairThreadPool:
    """Requests that find no free thread queue here, without one. For the event loop's thread only."""

    def __init__(self, name: str, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._shares = FairShares(threads)
        self._queues: dict[str, dict[asyncio.Future[None], None]] = {}  # by owner, in the order of their turns

    async def acquire(self, owner: str, patience_secs: float, gone: Callable[[], asyncio.Future[Any]]) -> bool:
        """Reserve a thread for `run`, or wait for one for so long. False: there is none, or the client is gone.

        `gone`: returns a future that ends when the client disconnects.
        """
        if owner not in self._queues and self._shares.take(owner):
            return True
        turn = asyncio.get_running_loop().create_future()
        self._queues.setdefault(owner, {})[turn] = None
        disconnected = gone()
        try:
            await asyncio.wait({turn, disconnected}, timeout=patience_secs, return_when=asyncio.FIRST_COMPLETED)
            if turn.done() and not disconnected.done():
                return True
        except asyncio.CancelledError:
            self._leave(owner, turn)
            raise
        self._leave(owner, turn)
        return False

    def run[Result](self, owner: str, call: Callable[[], Result]) -> asyncio.Future[Result]:
        """Run a call on the reserved thread, which is free again when the call ends."""
        running = asyncio.get_running_loop().run_in_executor(self._executor, call)
        running.add_done_callback(partial(self._release, owner))
        return running

    def _leave(self, owner: str, turn: asyncio.Future[None]) -> None:
        if turn.done():
            self._release(owner)
            return
        del self._queues[owner][turn]
        if not self._queues[owner]:
            del self._queues[owner]

    def _release(self, owner: str, _: object = None) -> None:
        self._shares.give(owner)
        for queued in [*self._queues]:
            if not self._shares.take(queued):
                continue
            turns = self._queues.pop(queued)
            turn = next(iter(turns))
            del turns[turn]
            if turns:
                self._queues[queued] = turns  # the other owners come before its next request
            turn.set_result(None)


# Of each process. A wait mostly sleeps; a short call works, and more threads at work would only slow each other down.
_WAIT_THREADS: Final = 128
_SHORT_THREADS: Final = 16
_HEALTH_THREADS: Final = 4
_PATIENCE_SECS: Final = 5.0
"""A request queues for a thread for so long, and is dropped then. A long poll queues as long as it wants to wait."""
_INTEGRATION_TIMEOUT_SECS: Final = 30
"""Of HTTP APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""
OVERLOADED: Final = gateway_answer(503, "Service Unavailable", retry_after_secs=1)


class ClientGoneError(Exception):
    """The client disconnected before the end of its request."""


class _Client:
    """The client of one request whose body was read."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone: asyncio.Task[Any] | None = None

    def gone(self) -> asyncio.Task[Any]:
        """Return a task that ends when the client disconnects."""
        if self._gone is None:
            self._gone = asyncio.ensure_future(self._disconnect())
        return self._gone

    async def _disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass  # a body that is not read

    def check(self) -> None:
        """Raise ClientGoneError if `gone` was called and has ended."""
        if self._gone is not None and self._gone.done():
            raise ClientGoneError

    def forget(self) -> None:
        if self._gone is not None:
            self._gone.cancel()


class RequestThreads:
    """Runs requests. For the event loop's thread only."""

    def __init__(self) -> None:
        self._waits = FairThreadPool("wait", _WAIT_THREADS)
        self._short_calls = FairThreadPool("short-call", _SHORT_THREADS)
        self._health = FairThreadPool("health", _HEALTH_THREADS)

    async def run(
        self,
        owner: str,
        scope: Scope,
        row: Route[Any],
        context: LambdaContext,
        call: Callable[[], HttpAnswer],
        receive: Receive,
    ) -> HttpAnswer:
        """Run a call for a request whose body was read, and return its answer, or that of the gateway for it.

        `row`: that of the API's table. `context`: that of the call. Raises ClientGoneError.
        """
        client = _Client(receive)
        try:
            pool = await self._acquire(owner, scope, row, context, client)
            if pool is None:
                client.check()
                return OVERLOADED
            invocation = pool.run(owner, call)
            watched = {invocation, client.gone()} if pool is self._waits else {invocation}
            left_secs = context.started + _INTEGRATION_TIMEOUT_SECS - monotonic()
            await asyncio.wait(watched, timeout=left_secs, return_when=asyncio.FIRST_COMPLETED)
            if invocation.done():
                return invocation.result()
            context.limit(0)  # the function goes on, as it would on Lambda, and waits no longer
            client.check()
            return gateway_answer(503, "Service Unavailable")
        finally:
            client.forget()

    async def _acquire(
        self, owner: str, scope: Scope, row: Route[Any], context: LambdaContext, client: _Client
    ) -> FairThreadPool | None:
        """Reserve a thread for a request. None: there is none in time, or the client is gone.

        A wait that finds no thread becomes a short call, and functions do not wait in those.
        """
        wait_secs = _asked_wait_secs(scope, row.waits)
        if wait_secs:
            patience_secs = wait_secs if scope["method"] == "GET" else min(wait_secs, _PATIENCE_SECS)
            if await self._waits.acquire(owner, patience_secs, client.gone):
                if scope["method"] == "GET":
                    context.limit(wait_secs + ANSWER_SECS)  # the time in the queue counts
                return self._waits
            if client.gone().done():
                return None
        pool = self._health if row.is_health else self._short_calls
        context.limit(0)
        return pool if await pool.acquire(owner, _PATIENCE_SECS, client.gone) else None


def _asked_wait_secs(scope: Scope, waits: Wait) -> float:
    """Return how long a request wants to wait at most, 0 for a short call."""
    if waits == "never":
        return 0.0
    text = read_query(scope).get("wait", "true" if waits == "by_default" else "false")
    most: float = LONG_POLL_MAX_SECS if scope["method"] == "GET" else SUBMIT_MAX_SECS
    if text == "true":
        return most
    try:
        secs = float(text)
    except ValueError:  # "false", or an invalid one, which the function refuses
        return 0.0
    return min(secs, most) if secs > 0 else 0.0
