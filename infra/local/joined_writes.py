"""uvicorn's protocol with the head and the body of an answer in one write.

uvicorn writes them one after the other. On loopback each write costs 50 us or more, for the kernel does the receiver's
half of the work in it too, and wakes the receiver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio


class JoinedWrites:
    """A transport that keeps a write until the next one, at most until the end of the loop's turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._kept = b""

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's own."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Keep the first, write the second together with it."""
        if self._kept:
            kept, self._kept = self._kept, b""
            self._transport.write(kept + data)
        elif data:
            self._kept = data
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what is kept."""
        if self._kept:
            kept, self._kept = self._kept, b""
            self._transport.write(kept)

    def close(self) -> None:
        """Write what is kept, then close."""
        self.flush()
        self._transport.close()


class JoinedWritesProtocol(HttpToolsProtocol):
    """Give this to uvicorn as its `http`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Put the joining transport between uvicorn and the connection."""
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport, self.loop)))
