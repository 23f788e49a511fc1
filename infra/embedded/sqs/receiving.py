"""ReceiveMessage: long polls, dead letters, and fairness between message groups."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.errors import ServiceError
from infra.embedded.holders import is_alive
from infra.embedded.sqs.fairness import choose
from infra.embedded.sqs.queues import Queue, find_named, find_queue
from infra.embedded.sqs.sending import MOST_ENTRIES, md5_of, md5_of_attributes

if TYPE_CHECKING:
    import sqlite3

    from infra.embedded.calls import Answer, Params
    from infra.embedded.engine import Engine

_MOST_WAIT_SECS: Final = 20
_MOST_VISIBILITY_SECS: Final = 43_200
_LOOK_MS: Final = 1000
"""A poll looks this often whether its client still lives; messages wake it at once."""


@dataclass(frozen=True, slots=True)
class _Call:
    """The parameters of one call. `system`, `own`: names of the attributes to return; `All` names every one."""

    most: int
    visibility_secs: int
    system: frozenset[str]
    own: frozenset[str]


def receive_message(engine: Engine, params: Params) -> Answer:
    """Receive up to ten messages, waiting for the first one. They belong to the engine's receiver."""
    most = params.get("MaxNumberOfMessages", 1)
    if not 1 <= most <= MOST_ENTRIES:
        raise ServiceError("InvalidParameterValue", f"MaxNumberOfMessages must be 1 to {MOST_ENTRIES}; got {most}")
    with engine.store.read() as connection:
        queue = find_queue(connection, params["QueueUrl"])
        next_ms = _next_visible_ms(connection, queue, engine.clock())
    wait_secs = params.get("WaitTimeSeconds", queue.wait)
    visibility_secs = params.get("VisibilityTimeout", queue.visibility)
    if not (0 <= wait_secs <= _MOST_WAIT_SECS and 0 <= visibility_secs <= _MOST_VISIBILITY_SECS):
        raise ServiceError("InvalidParameterValue", "WaitTimeSeconds or VisibilityTimeout is out of range")
    call = _Call(
        most,
        visibility_secs,
        frozenset({*params.get("MessageSystemAttributeNames", ()), *params.get("AttributeNames", ())}),
        frozenset(params.get("MessageAttributeNames", ())),
    )
    deadline = time.monotonic() + wait_secs
    received = _take(engine, queue, call) if next_ms <= 0 else []
    if not received and wait_secs:
        received = _wait(engine, queue, call, deadline)
    return {"Messages": received} if received else {}


def _wait(engine: Engine, queue: Queue, call: _Call, deadline: float) -> list[dict[str, Any]]:
    """Wait for messages. Empty at the deadline, or when the client has died: it would take a message along."""
    with engine.waking.waiter(queue.number) as wait:
        while True:
            next_ms = _look(engine, queue)
            if next_ms <= 0 and (received := _take(engine, queue, call)):
                return received
            left_ms = (deadline - time.monotonic()) * 1000
            if left_ms <= 0:
                return []
            wait(min(left_ms, max(next_ms, 1), _LOOK_MS))
            if engine.holder is not None and not is_alive(engine.holder):
                return []


def _look(engine: Engine, queue: Queue) -> float:
    """Milliseconds until a message is visible. A read, so that an empty queue costs no write."""
    with engine.store.read() as connection:
        return _next_visible_ms(connection, queue, engine.clock())


def _next_visible_ms(connection: sqlite3.Connection, queue: Queue, now: int) -> float:
    (next_ms,) = connection.execute("SELECT min(visible_ms) FROM message WHERE queue = ?", (queue.number,)).fetchone()
    return float("inf") if next_ms is None else float(next_ms - now)


def _take(engine: Engine, queue: Queue, call: _Call) -> list[dict[str, Any]]:
    now, holder = engine.clock(), engine.receiver
    received: list[dict[str, Any]] = []
    dead: Queue | None = None
    with engine.store.write() as connection:
        sent = engine.store.visible_commits()
        while not received and (found := choose(connection, queue.number, now, call.most)):
            for message in found:
                if message.sent_ms <= now - queue.retention * 1000:
                    connection.execute("DELETE FROM message WHERE id = ?", (message.message_id,))
                elif queue.dead_letters is not None and message.receives >= queue.max_receives:
                    dead = dead or find_named(connection, queue.dead_letters)
                    _move(connection, message.message_id, queue, dead, now)
                else:
                    received.append(_receive(connection, message.message_id, now, holder, call))
    if dead is not None:
        engine.waking.wake(dead.number)
    if received:
        # Before the work starts: nothing may come of a message that a loss of power undoes.
        engine.store.flush(sent)
    return received


def _move(connection: sqlite3.Connection, message_id: int, queue: Queue, dead: Queue, now: int) -> None:
    """Move a message that was received too often. As in SQS it keeps its id, its age and its count of receives."""
    connection.execute(
        "UPDATE message SET queue = ?, visible_ms = ?, receipt = NULL, holder = NULL, source = ? WHERE id = ?",
        (dead.number, now, queue.name, message_id),
    )


def _receive(connection: sqlite3.Connection, message_id: int, now: int, holder: str, call: _Call) -> dict[str, Any]:
    receipt, visible_ms = uuid.uuid4().hex, now + call.visibility_secs * 1000
    sent_ms, first_ms, receives, tenant, body, public_id, own = connection.execute(
        "UPDATE message SET receives = receives + 1, first_received_ms = coalesce(first_received_ms, ?), receipt = ?, "
        "holder = ?, visible_ms = ? WHERE id = ? "
        "RETURNING sent_ms, first_received_ms, receives, tenant, body, message_id, attributes",
        (now, receipt, holder, visible_ms, message_id),
    ).fetchone()
    attributes = {
        "ApproximateReceiveCount": str(receives),
        "ApproximateFirstReceiveTimestamp": str(first_ms),
        "SentTimestamp": str(sent_ms),
        "SenderId": "embedded",
    }
    if tenant:
        attributes["MessageGroupId"] = tenant
    shown = {name: value for name, value in attributes.items() if {name, "All"} & call.system}
    message = {
        "MessageId": public_id,
        "ReceiptHandle": f"{message_id}.{receipt}",
        "MD5OfBody": md5_of(body),
        "Body": body,
    }
    named = {name: value for name, value in json.loads(own or "{}").items() if {name, "All"} & call.own}
    if named:
        message |= {"MessageAttributes": named, "MD5OfMessageAttributes": md5_of_attributes(named)}
    return message | ({"Attributes": shown} if shown else {})
