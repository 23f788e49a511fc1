"""Fair queues: of the groups that wait, those with the fewest messages in flight come first.

SQS calls a group noisy from 30 messages in flight and a tenth of the queue's on, and then prefers the others.
One machine has few messages in flight, so here each one counts. A message without a group is a tenant of its own.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3

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
