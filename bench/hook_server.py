"""Webhook receivers on loopback, all in one thread: they verify at once, as a customer would, and note when.

A path that hangs reads its request and never answers. The others keep a connection, as most servers do.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_HANG_SECS = 60


@dataclass(frozen=True, slots=True)
class Receipt:
    """One request. `at` is the time of its last byte, in seconds since the epoch."""

    path: str
    webhook_id: str
    at: float
    is_genuine: bool
    body: bytes


class HookServer:
    """Use as a context manager; `expect` tells the secrets. `told` is called with each request, by a thread of ours."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.most_at_once: Counter[str] = Counter()
        self.told: Callable[[Receipt], None] | None = None
        self.port = 0
        self._open: Counter[str] = Counter()
        self._server: asyncio.Server
        self._secrets: dict[str, Webhook] = {}
        self._hanging: frozenset[str] = frozenset()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hooks")

    def __enter__(self) -> Self:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = server.sockets[0].getsockname()[1]
        self._server = server
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def expect(self, secrets: Mapping[str, str], hanging: frozenset[str]) -> None:
        """Verify requests to these paths with these secrets, and never answer those to the hanging ones."""
        self._secrets = {path: Webhook(secret) for path, secret in secrets.items()}
        self._hanging = hanging

    def url_of(self, path: str) -> str:
        """The URL of a receiver."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answered(reader, writer):
                pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return  # the sender went away; what it sent is noted
        finally:
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request. False if it is the last one of its connection."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        path = first.split(" ")[1]
        self._note(path, headers, body)
        try:
            if path in self._hanging:
                await asyncio.wait_for(reader.read(), _HANG_SECS)  # until the other side hangs up
                return False
            writer.write(_ANSWER)
            await writer.drain()
        finally:
            self._open[path] -= 1
        return headers.get("connection") != "close"

    def _note(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        at = time.time()
        self._open[path] += 1
        self.most_at_once[path] = max(self.most_at_once[path], self._open[path])
        try:
            self._secrets[path].verify(body, dict(headers))
            is_genuine = True
        except (KeyError, WebhookVerificationError):
            is_genuine = False
        receipt = Receipt(path, headers.get("webhook-id", ""), at, is_genuine, body)
        self.receipts.append(receipt)
        if self.told is not None:
            self.told(receipt)
