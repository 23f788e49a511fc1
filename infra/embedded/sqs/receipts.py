"""DeleteMessage, ChangeMessageVisibility, their batches, and messages whose process died.

As SQS does it, an outdated receipt is no error: it deletes nothing once another receipt was given, and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.embedded.errors import ServiceError
from infra.embedded.holders import is_alive
from infra.embedded.sqs.queues import Queue, find_queue
from infra.embedded.sqs.sending import for_each_entry

if TYPE_CHECKING:
    import sqlite3

    from infra.embedded.calls import Answer, Params
    from infra.embedded.engine import Engine

_RECEIPT_PARTS = 2
_MOST_VISIBILITY_SECS = 43_200
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
