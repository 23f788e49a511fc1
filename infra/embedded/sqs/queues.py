"""Queues: their attributes, addresses and depths."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.engine import ACCOUNT_ID, REGION
from infra.embedded.errors import ServiceError, of_sqs, unknown

if TYPE_CHECKING:
    import sqlite3

    from infra.embedded.engine import Engine
    from infra.embedded.errors import Answer, Params

_ADDRESS: Final = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT_ID}/"
ARN: Final = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:"
_DEFAULTS: Final = {
    "DelaySeconds": 0,
    "MaximumMessageSize": 1_048_576,
    "MessageRetentionPeriod": 345_600,
    "ReceiveMessageWaitTimeSeconds": 0,
    "VisibilityTimeout": 30,
}
_TAKEN: Final = {*_DEFAULTS, "RedrivePolicy", "SqsManagedSseEnabled"}
_COUNTS: Final = {
    "ApproximateNumberOfMessages": "visible_ms <= :now",
    "ApproximateNumberOfMessagesNotVisible": "visible_ms > :now AND receipt IS NOT NULL",
    "ApproximateNumberOfMessagesDelayed": "visible_ms > :now AND receipt IS NULL",
}


@dataclass(frozen=True, slots=True)
class Queue:
    """Times in seconds. `dead_letters`: the queue of messages that were received `max_receives` times, or None."""

    number: int
    name: str
    delay: int
    most_bytes: int
    retention: int
    wait: int
    visibility: int
    dead_letters: str | None
    max_receives: int
    attributes: dict[str, str]


def url_of(name: str) -> str:
    """Return the address of a queue; nothing listens there."""
    return _ADDRESS + name


def name_of(url: str) -> str:
    """Return the name of the queue at this address."""
    return url.removeprefix(_ADDRESS)


def find_queue(connection: sqlite3.Connection, url: str) -> Queue:
    """Read a queue by its address. Raises QueueDoesNotExist."""
    return find_named(connection, name_of(url))


def find_named(connection: sqlite3.Connection, name: str) -> Queue:
    """Read a queue by its name. Raises QueueDoesNotExist."""
    row = connection.execute("SELECT id, attributes FROM queue WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise of_sqs("QueueDoesNotExist", "NonExistentQueue", f"The specified queue does not exist: {name}")
    return _queue(row[0], name, row[1])


@lru_cache(maxsize=64)
def _queue(number: int, name: str, text: str) -> Queue:
    attributes = json.loads(text)
    delay, most_bytes, retention, wait, visibility = (int(attributes[key]) for key in _DEFAULTS)
    redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
    target = redrive.get("deadLetterTargetArn")
    return Queue(
        number,
        name,
        delay,
        most_bytes,
        retention,
        wait,
        visibility,
        target.removeprefix(ARN) if target else None,
        int(redrive.get("maxReceiveCount", 0)),
        attributes,
    )


def create_queue(engine: Engine, params: Params) -> Answer:
    """Create a queue; one that is there with the same attributes is no error."""
    given = params.get("Attributes", {})
    name = params["QueueName"]
    attributes = {key: str(value) for key, value in _DEFAULTS.items()} | _checked(given)
    with engine.store.write() as connection:
        _refuse_missing_target(connection, attributes)
        row = (name, json.dumps(attributes))
        connection.execute("INSERT OR IGNORE INTO queue (name, attributes) VALUES (?, ?)", row)
        there = find_named(connection, name).attributes
        if any(there.get(key) != value for key, value in _checked(given).items()):
            raise ServiceError("QueueAlreadyExists", f"A queue already exists with different attributes: {name}")
    return {"QueueUrl": url_of(name)}


def set_queue_attributes(engine: Engine, params: Params) -> Answer:
    """Change attributes; messages that are there keep their visibility."""
    with engine.store.write() as connection:
        queue = find_queue(connection, params["QueueUrl"])
        attributes = queue.attributes | _checked(params["Attributes"])
        _refuse_missing_target(connection, attributes)
        connection.execute("UPDATE queue SET attributes = ? WHERE id = ?", (json.dumps(attributes), queue.number))
    return {}


def get_queue_url(engine: Engine, params: Params) -> Answer:
    """Return the address of a named queue."""
    with engine.store.read() as connection:
        return {"QueueUrl": url_of(find_named(connection, params["QueueName"]).name)}


def get_queue_attributes(engine: Engine, params: Params) -> Answer:
    """Return attributes and counts. The counts are exact."""
    wanted = set(params.get("AttributeNames", []))
    with engine.store.read() as connection:
        queue = find_queue(connection, params["QueueUrl"])
        found = queue.attributes | {"QueueArn": ARN + queue.name}
        if "All" in wanted:
            wanted = {*found, *_COUNTS}
        if strange := wanted - found.keys() - _COUNTS.keys() - _TAKEN:
            raise unknown(f"the attribute {min(strange)} of a queue")
        values = {"queue": queue.number, "now": engine.clock()}
        for name in _COUNTS.keys() & wanted:
            sql = f"SELECT count(*) FROM message WHERE queue = :queue AND {_COUNTS[name]}"  # noqa: S608 - a constant
            found[name] = str(connection.execute(sql, values).fetchone()[0])
    return {"Attributes": {name: value for name, value in found.items() if name in wanted}}


def _checked(attributes: dict[str, Any]) -> dict[str, str]:
    if strange := attributes.keys() - _TAKEN:
        raise unknown(f"the attribute {min(strange)} of a queue")
    return {name: str(value) for name, value in attributes.items()}


def _refuse_missing_target(connection: sqlite3.Connection, attributes: dict[str, str]) -> None:
    target = _queue(0, "", json.dumps(attributes)).dead_letters
    if target is not None:
        find_named(connection, target)
