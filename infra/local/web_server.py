"""uvicorn inside the event loop of a process."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from infra.local.gateway import Gateway


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process: it stops more than this server."""
        yield


class WebServer:
    """Serves the gateway on a bound socket. A stop gives requests under way `finish_secs`."""

    def __init__(self, gateway: Gateway, listener: socket.socket, finish_secs: int) -> None:
        config = uvicorn.Config(
            gateway,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            http="httptools",
            ws="none",
            proxy_headers=False,
            timeout_keep_alive=65,
            timeout_graceful_shutdown=finish_secs,
        )
        self._server = _Server(config)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when requests are answered."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        while not self._server.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Accept no more, let requests under way end, then close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
