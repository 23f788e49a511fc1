"""ReceiveMessage: long polls, dead letters, and fairness between message groups."""

import heapq
import json
import sqlite3
import time
import uuid
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from infra.embedded.engine import Engine, is_alive
from infra.embedded.errors import Answer, Params, ServiceError
from infra.embedded.sqs_queues import (
    MOST_ENTRIES,
    Queue,
    find_named,
    find_queue,
    for_each_entry,
    md5_of,
    md5_of_attributes,
)

# Fair queues: of the groups that wait, those with the fewest messages in flight come first.
#
# SQS calls a group noisy from 30 messages in flight and a tenth of the queue's on, and then prefers the others. One
# machine has few messages in flight, so here each one counts. A message without a group is a tenant of its own.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html

# One seek in the index for each group that has messages.
_OLDEST_OF_GROUPS = """
WITH RECURSIVE groups (name) AS (
  SELECT min(tenant) FROM message WHERE queue = :queue
  UNION ALL
  SELECT (SELECT min(tenant) FROM message WHERE queue = :queue AND tenant > groups.name) FROM groups
  WHERE groups.name IS NOT NULL
)
SELECT name, (SELECT min(visible_ms) FROM message WHERE queue = :queue AND tenant = name) AS oldest
FROM groups WHERE name IS NOT NULL AND oldest <= :now
"""
_IN_FLIGHT = (
    "SELECT tenant, count(*) FROM message WHERE queue = ? AND receipt IS NOT NULL AND visible_ms > ? GROUP BY tenant"
)
_OF_GROUP = (
    "SELECT visible_ms, id, sent_ms, receives FROM message WHERE queue = ? AND tenant = ? AND visible_ms <= ? "
    "ORDER BY visible_ms, id LIMIT ?"
)


class Visible(NamedTuple):
    """A message that may be received."""

    message_id: int
    sent_ms: int
    receives: int


def choose(connection: sqlite3.Connection, queue: int, now: int, most: int) -> list[Visible]:
    """Return up to `most` visible messages, the fairest first."""
    groups = connection.execute(_OLDEST_OF_GROUPS, {"queue": queue, "now": now}).fetchall()
    in_flight = dict(connection.execute(_IN_FLIGHT, (queue, now))) if len(groups) > 1 else {}
    in_flight.pop("", None)
    # A group whose oldest message is too young for a turn among the first `most` is not read.
    first = heapq.nsmallest(most, groups, key=lambda group: (in_flight.get(group[0], 0), group[1]))
    waiting = [
        (in_flight.get(name, 0) + (place if name else 0), visible_ms, Visible(*message))
        for name, _ in first
        for place, (visible_ms, *message) in enumerate(connection.execute(_OF_GROUP, (queue, name, now, most)))
    ]
    return [message for *_, message in heapq.nsmallest(most, waiting)]


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


# DeleteMessage, ChangeMessageVisibility, their batches, and messages whose process died.
#
# As SQS does it, an outdated receipt is no error: it deletes nothing once another receipt was given, and changes
# nothing.

_RECEIPT_PARTS = 2
_AHEAD_MS = 1000
# Messages of a group are received in the order of `visible_ms`. So one that comes back keeps its place before those
# that were sent later. The parameter is the time of now: `sent_ms` is later if the clock ran ahead then.
_COME_BACK = "UPDATE message SET visible_ms = min(visible_ms, sent_ms, ?), holder = NULL "


def delete_message(engine: Engine, params: Params) -> Answer:
    """Delete the message that this receipt was the last one for."""
    with engine.store.write() as connection:
        return _delete(connection, find_queue(connection, params["QueueUrl"]), params)


def delete_message_batch(engine: Engine, params: Params) -> Answer:
    """Delete up to ten messages; a bad receipt fails alone."""
    return for_each_entry(engine, params, {"Id", "ReceiptHandle"}, _delete)


def change_message_visibility(engine: Engine, params: Params) -> Answer:
    """Set how long a received message stays invisible from now on. At 0 it is visible in its place."""
    seconds = params["VisibilityTimeout"]
    if not 0 <= seconds <= _MOST_VISIBILITY_SECS:
        raise ServiceError("InvalidParameterValue", f"VisibilityTimeout must be 0 to 43200; got {seconds}")
    message_id, receipt = _parts(params["ReceiptHandle"])
    with engine.store.write() as connection:
        queue = find_queue(connection, params["QueueUrl"])
        # Also where the message is visible by now, but was not received again.
        connection.execute(
            "UPDATE message SET visible_ms = iif(?1 = 0, min(sent_ms, ?2), ?2 + 1000 * ?1) "
            "WHERE id = ?3 AND queue = ?4 AND receipt = ?5",
            (seconds, engine.clock(), message_id, queue.number, receipt),
        )
    engine.waking.wake(queue.number)
    return {}


def release_dead(engine: Engine) -> int:
    """Make the messages of dead processes visible at once, in their places, and return how many."""
    with engine.store.read() as connection:
        held = connection.execute(
            "SELECT id, queue, holder FROM message INDEXED BY message_in_flight "
            "WHERE receipt IS NOT NULL AND holder IS NOT NULL"
        ).fetchall()
    dead = {holder for holder in {holder for *_, holder in held} if not is_alive(holder)}
    if not dead:
        return 0
    now = engine.clock()
    released: list[int] = []
    with engine.store.write() as connection:
        for message_id, queue, holder in held:
            sql = _COME_BACK + "WHERE id = ? AND holder = ?"
            if holder in dead and connection.execute(sql, (now, message_id, holder)).rowcount:
                released.append(queue)
    for queue in set(released):
        engine.waking.wake(queue)
    return len(released)


def release_all(engine: Engine, holder: str) -> int:
    """Make the messages of a holder visible at once, in their places, and return how many."""
    with engine.store.write() as connection:
        released = connection.execute(
            _COME_BACK + "WHERE receipt IS NOT NULL AND holder = ? RETURNING queue",
            (engine.clock(), holder),
        ).fetchall()
    for (queue,) in set(released):
        engine.waking.wake(queue)
    return len(released)


def expire_messages(connection: sqlite3.Connection, now_ms: int, most: int) -> int:
    """Remove up to `most` messages that are older than their queue's retention, and return how many."""
    # INDEXED BY: SQLite would read the whole queue, in place of its oldest messages.
    return connection.execute(
        "DELETE FROM message WHERE id IN ("
        "SELECT message.id FROM queue CROSS JOIN message INDEXED BY message_age WHERE message.queue = queue.id "
        "AND sent_ms <= ? - 1000 * json_extract(queue.attributes, '$.MessageRetentionPeriod') LIMIT ?)",
        (now_ms, most),
    ).rowcount


def bring_back(connection: sqlite3.Connection, now_ms: int, most: int) -> int:
    """Make up to `most` messages that were sent in the future as if they were sent now, and return how many.

    The clock ran ahead then, and is right again.
    """
    return connection.execute(
        "UPDATE message SET visible_ms = max(?1, visible_ms - sent_ms + ?1), sent_ms = ?1 WHERE id IN ("
        "SELECT id FROM message INDEXED BY message_age WHERE sent_ms > ?1 + ?3 LIMIT ?2)",
        (now_ms, most, _AHEAD_MS),
    ).rowcount


def _parts(receipt: str) -> tuple[int, str]:
    parts = receipt.split(".")
    if len(parts) != _RECEIPT_PARTS or not parts[0].isdigit():
        raise ServiceError(
            "ReceiptHandleIsInvalid", f'The input receipt handle "{receipt}" is not a valid receipt handle.'
        )
    return int(parts[0]), parts[1]


def _delete(connection: sqlite3.Connection, queue: Queue, given: Params, _now: int = 0) -> Answer:
    message_id, receipt = _parts(given["ReceiptHandle"])
    sql = "DELETE FROM message WHERE id = ? AND queue = ? AND receipt = ?"
    connection.execute(sql, (message_id, queue.number, receipt))
    return {}
