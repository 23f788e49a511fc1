"""uvicorn inside the event loop of a process."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import uvicorn

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from infra.local.gateway import Gateway

_FINISH_SECS: Final = 2


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process: it stops more than this server."""
        yield


class WebServer:
    """Serves the gateway on a bound socket."""

    def __init__(self, gateway: Gateway, listener: socket.socket) -> None:
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
            timeout_graceful_shutdown=_FINISH_SECS,
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
        """Accept no more, give requests under way a moment, then close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
