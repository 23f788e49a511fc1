"""SQS standard queues: their attributes, addresses and depths, and sending to them.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

import hashlib
import json
import re
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from infra.embedded.engine import ACCOUNT_ID, REGION, Engine
from infra.embedded.errors import Answer, Params, ServiceError, of_sqs, unknown

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


# SendMessage and SendMessageBatch.

type Act = Callable[[sqlite3.Connection, Queue, Params, int], dict[str, Any]]
"""What a batch does for one entry, at a time in milliseconds. Returns members of its answer."""

MOST_ENTRIES: Final = 10
_MOST_BATCH_BYTES: Final = 1_048_576
_MOST_DELAY_SECS: Final = 900
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTRY: Final = {"Id", "MessageBody", "DelaySeconds", "MessageGroupId"}


def md5_of(body: str) -> str:
    """Return the digest by which clients check a body."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: Params) -> str:
    """Return the digest by which clients check attributes: lengths and texts of names, types and values, sorted.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
    """
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        for text, mark in ((name, b""), (attributes[name]["DataType"], b""), (attributes[name]["StringValue"], b"\1")):
            raw = text.encode()
            digest.update(mark + len(raw).to_bytes(4) + raw)
    return digest.hexdigest()


def send_message(engine: Engine, params: Params) -> Answer:
    """Send one message. It is on disk when the call returns."""
    with engine.store.write() as connection:
        queue = find_queue(connection, params["QueueUrl"])
        answer = _insert(connection, queue, params, engine.clock())
    engine.waking.wake(queue.number)
    return answer


def send_message_batch(engine: Engine, params: Params) -> Answer:
    """Send up to ten messages; a bad one fails alone."""
    if sum(len(entry["MessageBody"].encode()) for entry in params["Entries"]) > _MOST_BATCH_BYTES:
        raise _bad_batch("BatchRequestTooLong", f"Batch requests cannot be longer than {_MOST_BATCH_BYTES} bytes")
    return for_each_entry(engine, params, _ENTRY, _insert, wakes=True)


def for_each_entry(engine: Engine, params: Params, members: set[str], act: Act, *, wakes: bool = False) -> Answer:
    """Run `act` for up to ten entries with these members, in one transaction; a bad one fails alone.

    `wakes`: whether there are messages to receive afterwards.
    """
    entries = params["Entries"]
    if not entries:
        raise _bad_batch("EmptyBatchRequest", "There should be at least one entry.")
    if len(entries) > MOST_ENTRIES:
        problem = f"Maximum number of entries per request are {MOST_ENTRIES}. You have sent {len(entries)}."
        raise _bad_batch("TooManyEntriesInBatchRequest", problem)
    if len({entry["Id"] for entry in entries}) != len(entries):
        raise _bad_batch("BatchEntryIdsNotDistinct", "An Id is repeated.")
    if strange := {member for entry in entries for member in entry} - members:
        raise unknown(f"the member {min(strange)} of an entry of a batch")
    done, failed = list[dict[str, Any]](), list[dict[str, Any]]()
    with engine.store.write() as connection:
        queue = find_queue(connection, params["QueueUrl"])
        for entry in entries:
            try:
                done.append({"Id": entry["Id"], **act(connection, queue, entry, engine.clock())})
            except ServiceError as error:
                refusal = {"SenderFault": True, "Code": error.code, "Message": error.message}
                failed.append({"Id": entry["Id"], **refusal})
    if wakes:
        engine.waking.wake(queue.number)
    # SQS leaves out an empty list.
    return {name: answers for name, answers in (("Successful", done), ("Failed", failed)) if answers}


def _bad_batch(name: str, message: str) -> ServiceError:
    return of_sqs(name, name, message)


def _insert(connection: sqlite3.Connection, queue: Queue, given: Params, now: int) -> dict[str, Any]:
    body, delay = given["MessageBody"], given.get("DelaySeconds", queue.delay)
    attributes = _attributes(given)
    size = len(body.encode("utf-8", "surrogatepass")) + sum(
        len(text.encode()) for name, value in attributes.items() for text in (name, *value.values())
    )
    if not 1 <= size <= queue.most_bytes:
        problem = f"Message must be 1 to {queue.most_bytes} bytes; got {size}"
        raise ServiceError("InvalidParameterValue", f"One or more parameters are invalid. Reason: {problem}.")
    if _FORBIDDEN.search(body):
        raise ServiceError("InvalidMessageContents", "Invalid characters found.")
    if not 0 <= delay <= _MOST_DELAY_SECS:
        raise ServiceError("InvalidParameterValue", f"DelaySeconds must be 0 to {_MOST_DELAY_SECS}; got {delay}")
    message_id = str(uuid.uuid4())
    connection.execute(
        "INSERT INTO message (queue, tenant, visible_ms, sent_ms, message_id, body, attributes) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(queue.number, given.get("MessageGroupId", ""), now + delay * 1000, now, message_id, body),
            json.dumps(attributes) if attributes else None,
        ),
    )
    digests = {"MD5OfMessageAttributes": md5_of_attributes(attributes)} if attributes else {}
    return {"MessageId": message_id, "MD5OfMessageBody": md5_of(body), **digests}


def _attributes(given: Params) -> Params:
    """Return the attributes of a message. The engine knows texts only."""
    attributes: Params = given.get("MessageAttributes", {})
    for name, value in attributes.items():
        if value.keys() != {"DataType", "StringValue"} or value["DataType"] != "String":
            raise unknown(f"the message attribute {name} with another type than String")
        if not value["StringValue"] or _FORBIDDEN.search(value["StringValue"]):
            raise ServiceError("InvalidParameterValue", f"The message attribute {name} must have a valid text.")
    return attributes
