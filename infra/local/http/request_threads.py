"""The threads that run requests. Waits, short calls and health have pools of their own: none stops the others."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from functions.http.long_poll import ANSWER_SECS
from functions.http.parameters import LONG_POLL_MAX_SECS, SUBMIT_MAX_SECS
from infra.local.http.http_event import HttpAnswer, gateway_answer, read_query
from infra.local.http.thread_pool import FairThreadPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from functions.http.resolver import Route, Wait
    from infra.local.invoker import LambdaContext

# Of each process. A wait mostly sleeps; a short call works, and more threads at work would only slow each other down.
_WAIT_THREADS: Final = 128
_SHORT_THREADS: Final = 16
_HEALTH_THREADS: Final = 4
_PATIENCE_SECS: Final = 5.0
"""A request queues for a thread for so long, and is dropped then. A long poll queues as long as it wants to wait."""
_INTEGRATION_TIMEOUT_SECS: Final = 30
"""Of HTTP APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""
OVERLOADED: Final = gateway_answer(503, "Service Unavailable", retry_after_secs=1)

type Scope = dict[str, Any]
type Receive = Callable[[], Awaitable[dict[str, Any]]]


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
        """Watch it no longer."""
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
