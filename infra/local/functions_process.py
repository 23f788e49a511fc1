"""One of the processes that run the functions: it serves HTTP on the shared port, and polls the queues' mappings."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Final

import uvicorn
import uvloop

from infra.embedded.sqs.receipts import release_dead
from infra.local.child_processes import DRAIN_SIGNAL, unblock_signals
from infra.local.gateway import Gateway
from infra.local.mappings import MappingPollers
from infra.local.state_watch import StateInvoker

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from infra.local.loading import Loaded
    from infra.local.mappings import Share
    from infra.local.preparation import Prepared

_THREADS_STOP_SECS: Final = 5
_FINISH_SECS: Final = 2
_PRODUCTION_FINISH_SECS: Final = 30  # as long as an HTTP API waits for a function


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process: it stops more than this server."""
        yield


def run(prepared: Prepared, loaded: Loaded, listener: socket.socket, share: Share, drained: int) -> int:
    """Serve until SIGTERM. After DRAIN_SIGNAL serve no more requests, close `drained`, and go on with the queues."""
    os.close(prepared.log_writer)
    if prepared.embedded is not None:
        release_dead(prepared.embedded.engine)  # this process may replace a dead one
    loaded.counters.use_row(share.number)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(prepared, loaded, listener, share, drained))
    return 0


async def _serve(prepared: Prepared, loaded: Loaded, listener: socket.socket, share: Share, drained: int) -> None:
    loop = asyncio.get_running_loop()
    drain, end = asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(DRAIN_SIGNAL, drain.set)

    def stop() -> None:
        drain.set()
        end.set()

    loop.add_signal_handler(signal.SIGTERM, stop)
    unblock_signals()
    server = _Server(_configuration(prepared, loaded))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    pollers = MappingPollers(loaded.invoker, prepared.console, loaded.counters)
    for mapping in loaded.stack.mappings:
        pollers.start(mapping, prepared.template.values[mapping.queue]["Ref"], share)
    await drain.wait()
    server.should_exit = True  # it accepts no more, and lets requests under way end
    await serving
    os.close(drained)
    await end.wait()
    await asyncio.to_thread(pollers.stop, _THREADS_STOP_SECS)


def _configuration(prepared: Prepared, loaded: Loaded) -> uvicorn.Config:
    invoker = loaded.invoker
    if prepared.embedded is not None:
        invoker = StateInvoker(invoker.functions, invoker.handlers, prepared.embedded.engine.store)
    return uvicorn.Config(
        Gateway(loaded.stack.routes, invoker, prepared.console, loaded.counters),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        http="httptools",
        ws="none",
        proxy_headers=False,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=_PRODUCTION_FINISH_SECS if prepared.settings.production else _FINISH_SECS,
    )
