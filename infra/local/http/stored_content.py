"""Bodies that become objects, and objects that become bodies, in pieces: a function only checks the request.

A function asks for it by the headers of `functions.http.stored_content`, which no client sees.
"""

from __future__ import annotations

import asyncio
from typing import IO, TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import BotoCoreError, ClientError

from functions.http.stored_content import (
    DOWNLOAD_KEY,
    UPLOAD_CHECKSUM,
    UPLOAD_KEY,
    UPLOAD_OWNER,
    UPLOAD_SIZE,
    UPLOAD_TYPE,
)
from infra.local.embedded_aws import session
from infra.local.http.answers import HttpAnswer, gateway_answer
from infra.local.http.request_threads import OVERLOADED, ClientGoneError, FairThreadPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.response import StreamingBody

    from infra.local.http.answers import Receive, Send

_THREADS: Final = 8
_PATIENCE_SECS: Final = 5.0
_PIECE_BYTES: Final = 256 * 1024
_SOON_SENT_BYTES: Final = 64 * 1024

type Flush = Callable[[HttpAnswer], HttpAnswer]
"""An answer to the answer that may leave: `DurableAnswers.flush` for the path of its request."""


async def stay_silent() -> dict[str, Any]:
    """Receive nothing for the function of an upload: the body is not its."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


class _WrongSizeError(Exception):
    """The body is shorter or longer than the object."""


class _GoneError(Exception):
    """The client disconnected. No OSError: the engine would take it for one of its disk."""


class _Body:
    """A request's body as a reader, for a thread beside the event loop's."""

    def __init__(self, receive: Receive, size: int) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._left = size
        self._piece = b""
        self._is_whole = False

    def read(self, most: int) -> bytes:
        """Return the next bytes, b"" at the end. Raises _WrongSizeError, _GoneError."""
        while not self._piece and not self._is_whole:
            message = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            if message["type"] == "http.disconnect":
                raise _GoneError
            self._piece, self._is_whole = message.get("body", b""), not message.get("more_body")
            self._left -= len(self._piece)
            if self._left < 0 or (self._is_whole and self._left):
                raise _WrongSizeError
        taken, self._piece = self._piece[:most], self._piece[most:]
        return taken

    async def _next(self) -> dict[str, Any]:
        return await self._receive()


class StoredContent:
    """The bucket's objects as bodies. For the event loop's thread only."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._pool = FairThreadPool("content", _THREADS)
        self._s3 = session().client("s3")

    async def take(self, answer: HttpAnswer, receive: Receive, flush: Flush) -> HttpAnswer:
        """Store the body if the function asks for it. Raises ClientGoneError."""
        asked = dict(answer.headers)
        if UPLOAD_KEY not in asked:
            return answer
        owner, body = asked[UPLOAD_OWNER], _Body(receive, int(asked[UPLOAD_SIZE]))
        if not await self._pool.acquire(owner, _PATIENCE_SECS, asyncio.get_running_loop().create_future):
            return OVERLOADED
        stored = HttpAnswer(answer.status, _without_requests(answer), answer.body)
        return await self._pool.run(owner, lambda: flush(self._put(asked, body) or stored))

    def _put(self, asked: dict[str, str], body: _Body) -> HttpAnswer | None:
        """Store a body. Return the answer for one that is not stored."""
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=asked[UPLOAD_KEY],
                Body=cast("IO[bytes]", body),
                ContentType=asked[UPLOAD_TYPE],
                ChecksumSHA256=asked[UPLOAD_CHECKSUM],
            )
        except _GoneError:
            raise ClientGoneError from None
        except _WrongSizeError:
            return gateway_answer(400, "The body does not have the size of the file.")
        except ClientError as error:
            if error.response["Error"]["Code"] == "BadDigest":
                return gateway_answer(400, "The body does not have the SHA-256 of the file.")
            return _UNAVAILABLE
        except BotoCoreError:
            return _UNAVAILABLE
        return None

    async def send(self, answer: HttpAnswer, send: Send, flush: Flush) -> bool:
        """Send an object if the function asks for it. False: the answer is an ordinary one."""
        key = dict(answer.headers).get(DOWNLOAD_KEY)
        if key is None:
            return False
        head, body = await asyncio.to_thread(self._open, key, answer, flush)
        if body is None:
            await send_whole(head, send)
            return True
        try:
            fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head.headers]
            await send({"type": "http.response.start", "status": head.status, "headers": fields})
            while piece := await asyncio.to_thread(body.read, _PIECE_BYTES):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            body.close()
        return True

    def _open(self, key: str, answer: HttpAnswer, flush: Flush) -> tuple[HttpAnswer, StreamingBody | None]:
        """Return the head of the answer, and the body to send behind it; None: the answer is whole."""
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=key)
        except self._s3.exceptions.NoSuchKey:
            return flush(gateway_answer(404, "The file is gone.")), None
        except (ClientError, BotoCoreError):
            return flush(_UNAVAILABLE), None
        length = ("content-length", str(found["ContentLength"]))
        head = HttpAnswer(answer.status, [*_without_requests(answer), length], b"")
        flushed = flush(head)
        if flushed is head:
            return head, found["Body"]
        found["Body"].close()
        return flushed, None


async def send_whole(answer: HttpAnswer, send: Send, *, is_head: bool = False) -> None:
    """Send an answer, and wait until the client has taken all but the end of it. `is_head`: without its body."""
    head = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    head.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": head})
    body = b"" if is_head else answer.body
    if len(body) > _SOON_SENT_BYTES:
        await send({"type": "http.response.body", "body": body, "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body})  # waits while much of the earlier parts is not sent


def _without_requests(answer: HttpAnswer) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.headers if not name.startswith("x-stored-")]


_UNAVAILABLE: Final = gateway_answer(503, "Service Unavailable", retry_after_secs=5)
