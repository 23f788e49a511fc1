"""Floods of the front: waits, heads and bodies on many connections, all on loopback. Each is over when it exits."""

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from functions.clock import now_ms, to_rfc3339
from functions.ids import new_id
from functions.submissions.store import SubmissionStore
from tests.submission_factory import new_submission
from tests.system.local_stack import LocalStack

PROJECTS = 10
WAITS = 2000
_IDLE_CONNECTIONS = 2000
_LARGE_HEADS = 100
_HALF_BODIES = 100
_PAUSE_SECS = 0.5
"""Of a client whose connection was closed: the attack is on threads and memory, not on CPU time."""
_PIECE = b"x" * 100_000
_PATIENCE_SECS = 60
_TABLE = "rustbox-local-SubmissionsTable"

_END_SECS = 10


def front_floods(local: LocalStack, attacker_key: str) -> dict[str, Callable[[], AbstractContextManager[None]]]:
    """Return the floods by name."""
    endless_head = [
        _head("GET", "/api/languages", *(f"X-{number}: x" for number in range(50))) + b"X-Endless: ",
        _PIECE,
    ]
    return {
        f"{WAITS} waits of {PROJECTS} projects": lambda: _flood(local.port, _waits(local), asks_again=True),
        f"{_IDLE_CONNECTIONS} idle connections": lambda: _flood(local.port, [[b""]] * _IDLE_CONNECTIONS),
        f"{_LARGE_HEADS} large heads": lambda: _flood(local.port, [endless_head] * _LARGE_HEADS),
        f"{_HALF_BODIES} half bodies": lambda: _flood(local.port, [_half_body(attacker_key)] * _HALF_BODIES),
    }


@contextmanager
def _flood(port: int, clients: list[list[bytes]], *, asks_again: bool = False) -> Iterator[None]:
    """Keep these clients connected, from a process of their own. Each sends its parts; see `_client`."""
    context = multiprocessing.get_context("spawn")
    opened = context.Event()
    process = context.Process(target=_run, args=(port, clients, asks_again, opened), daemon=True)
    process.start()
    try:
        opened.wait(_PATIENCE_SECS)
        yield
    finally:
        process.terminate()
        process.join(_END_SECS)


def _run(port: int, clients: list[list[bytes]], asks_again: bool, opened: Any) -> None:  # noqa: FBT001 - a process
    async def repeat(parts: list[bytes]) -> None:
        while True:
            with suppress(OSError, EOFError):
                await _client(port, parts, asks_again=asks_again)
            await asyncio.sleep(_PAUSE_SECS)

    async def all_clients() -> None:
        async with asyncio.TaskGroup() as group:
            for parts in clients:
                group.create_task(repeat(parts))
                await asyncio.sleep(0.001)
            opened.set()

    asyncio.run(all_clients())


async def _client(port: int, parts: list[bytes], *, asks_again: bool) -> None:
    """Send the parts on one connection and read until its end, or send them again after each answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            for part in parts:
                writer.write(part)
                await writer.drain()
            if not asks_again:
                await reader.read()
                return
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
    finally:
        writer.close()


def _waits(local: LocalStack) -> list[list[bytes]]:
    """Return requests that wait for runs that never end."""
    store, now = SubmissionStore(_TABLE, local.aws("dynamodb")), now_ms()
    heads: list[list[bytes]] = []
    for number in range(PROJECTS):
        project_id, submission_id = f"waiter{number}", new_id()
        key = local.add_project(project_id)
        times = {"created_at": to_rfc3339(now), "ttl": now // 1000 + 86_400, "due_at_ms": None}
        store.create(new_submission(submission_id=submission_id, project_id=project_id, **times), None)
        heads.append([_head("GET", f"/api/result/{submission_id}?wait=20", f"X-API-Key: {key}") + b"\r\n"])
    return heads * (WAITS // PROJECTS)


def _head(method: str, target: str, *fields: str) -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *fields, ""]).encode()


def _half_body(api_key: str) -> list[bytes]:
    head = _head("POST", "/api/judge", f"X-API-Key: {api_key}", f"Content-Length: {9_000_000}") + b"\r\n"
    return [head, *[_PIECE] * (8_900_000 // len(_PIECE))]
