"""One of the processes that run the functions: it serves HTTP on the shared port, and polls the queues' mappings."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Final

import uvloop

from infra.local.child_processes import DRAIN_SIGNAL
from infra.local.gateway import Gateway
from infra.local.mappings import MappingPollers
from infra.local.web_server import WebServer

if TYPE_CHECKING:
    import socket

    from infra.local.mappings import Share
    from infra.local.preparation import Prepared

_THREADS_STOP_SECS: Final = 5
_FINISH_SECS: Final = 2
_PRODUCTION_FINISH_SECS: Final = 30  # as long as an HTTP API waits for a function


def run(prepared: Prepared, listener: socket.socket, share: Share, drained: int) -> int:
    """Serve until SIGTERM. After DRAIN_SIGNAL serve no more requests, close `drained`, and go on with the queues."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(prepared, listener, share, drained))
    return 0


async def _serve(prepared: Prepared, listener: socket.socket, share: Share, drained: int) -> None:
    loop = asyncio.get_running_loop()
    drain, end = asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(DRAIN_SIGNAL, drain.set)

    def stop() -> None:
        drain.set()
        end.set()

    loop.add_signal_handler(signal.SIGTERM, stop)
    if prepared.embedded is not None:
        prepared.embedded.release_dead()  # this process may replace a dead one
    prepared.counters.use_row(share.number)
    pollers = MappingPollers(prepared.invoker, prepared.console, prepared.counters)
    gateway = Gateway(prepared.stack.routes, prepared.invoker, prepared.console, prepared.counters)
    finish_secs = _PRODUCTION_FINISH_SECS if prepared.settings.production else _FINISH_SECS
    web_server = WebServer(gateway, listener, finish_secs)
    await web_server.start()
    for mapping in prepared.stack.mappings:
        pollers.start(mapping, prepared.resolver.values[mapping.queue]["Ref"], share)
    await drain.wait()
    await web_server.stop()
    os.close(drained)
    await end.wait()
    await asyncio.to_thread(pollers.stop, _THREADS_STOP_SECS)
