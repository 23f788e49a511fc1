"""A pool of threads for requests, which projects share fairly."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from infra.local.http.fair_shares import FairShares

if TYPE_CHECKING:
    from collections.abc import Callable


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
