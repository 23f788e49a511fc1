"""EventBridge: buses check events and pass those of some detail types to the queues of their rules."""

import json
import time
import uuid
from typing import Any, Final

from infra.embedded import sqs_queues
from infra.embedded.engine import ACCOUNT_ID, REGION, Engine
from infra.embedded.errors import Answer, Params, ServiceError, invalid, unknown
from infra.embedded.sqs_queues import ARN, find_queue, url_of

_MOST_ENTRIES: Final = 10
_MOST_BYTES: Final = 1_000_000  # see functions/event_log/bus.py
_MEMBERS: Final = {"Source", "DetailType", "Detail", "EventBusName"}
_DEFAULT_BUS: Final = "default"
_PATTERN: Final = "detail-type"
_TARGET: Final = {"Id", "Arn", "DeadLetterConfig"}  # a delivery to a queue of this engine cannot fail


def create_event_bus(engine: Engine, params: Params) -> Answer:
    name = params["Name"]
    with engine.store.write() as connection:
        if connection.execute("INSERT OR IGNORE INTO event_bus VALUES (?)", (name,)).rowcount == 0:
            raise ServiceError("ResourceAlreadyExistsException", f"Event bus {name} already exists.")
    return {"EventBusArn": f"arn:aws:events:{REGION}:{ACCOUNT_ID}:event-bus/{name}"}


def put_rule(engine: Engine, params: Params) -> Answer:
    """Create or replace a rule. Its pattern names detail types; the engine knows no other."""
    name, bus = params["Name"], params["EventBusName"]
    try:
        pattern = json.loads(params["EventPattern"])
        types = pattern.pop(_PATTERN)
    except (ValueError, KeyError, AttributeError):
        raise unknown(f"an event pattern without {_PATTERN}") from None
    if pattern or not isinstance(types, list) or not all(isinstance(found, str) for found in types):
        raise unknown(f"an event pattern with more than texts of {_PATTERN}")
    with engine.store.write() as connection:
        if connection.execute("SELECT 1 FROM event_bus WHERE name = ?", (bus,)).fetchone() is None:
            raise ServiceError("ResourceNotFoundException", f"Event bus {bus} does not exist.")
        connection.execute("INSERT OR REPLACE INTO event_rule VALUES (?, ?, ?)", (bus, name, json.dumps(types)))
    return {"RuleArn": f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/{bus}/{name}"}


def put_targets(engine: Engine, params: Params) -> Answer:
    """Add queues to a rule, or replace them by id."""
    name, bus = params["Rule"], params["EventBusName"]
    with engine.store.write() as connection:
        key = (bus, name)
        if connection.execute("SELECT 1 FROM event_rule WHERE bus = ? AND name = ?", key).fetchone() is None:
            raise ServiceError("ResourceNotFoundException", f"Rule {name} does not exist on EventBus {bus}.")
        for target in params["Targets"]:
            if strange := target.keys() - _TARGET:
                raise unknown(f"the member {min(strange)} of a target")
            if not target["Arn"].startswith(ARN):
                raise unknown("a target of a rule that is no queue")
            queue = find_queue(connection, url_of(target["Arn"].removeprefix(ARN)))
            row = (*key, target["Id"], queue.name)
            connection.execute("INSERT OR REPLACE INTO event_target VALUES (?, ?, ?, ?)", row)
    return {"FailedEntryCount": 0, "FailedEntries": []}


def put_events(engine: Engine, params: Params) -> Answer:
    """Take up to ten events; a bad one fails alone."""
    entries = params["Entries"]
    if not 1 <= len(entries) <= _MOST_ENTRIES:
        raise invalid(f"Entries must have 1 to {_MOST_ENTRIES} members; got {len(entries)}")
    if sum(_size(entry) for entry in entries) > _MOST_BYTES:
        raise invalid("Total size of the entries in the request is over the limit.")
    with engine.store.read() as connection:
        buses = {name for (name,) in connection.execute("SELECT name FROM event_bus")}
    results = [_result(entry, buses) for entry in entries]
    for entry, result in zip(entries, results, strict=True):
        if "EventId" in result:
            _deliver(engine, entry, result["EventId"])
    return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}


def _size(entry: dict[str, Any]) -> int:
    return sum(len(entry.get(name, "").encode()) for name in ("Source", "DetailType", "Detail"))


def _result(entry: dict[str, Any], buses: set[str]) -> dict[str, str]:
    if strange := entry.keys() - _MEMBERS:
        raise unknown(f"the member {min(strange)} of an event")
    name = entry.get("EventBusName", _DEFAULT_BUS)
    if name not in buses:
        return {"ErrorCode": "ResourceNotFoundException", "ErrorMessage": f"Event bus {name} does not exist."}
    for member in ("Source", "DetailType", "Detail"):
        if not entry.get(member):
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": f"Parameter {member} is not valid."}
    try:
        is_object = isinstance(json.loads(entry["Detail"]), dict)
    except ValueError:
        is_object = False
    if not is_object:
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    return {"EventId": str(uuid.uuid4())}


def _deliver(engine: Engine, entry: dict[str, Any], event_id: str) -> None:
    """Send an accepted event to the queues whose rules match."""
    sql = (
        "SELECT queue FROM event_target JOIN event_rule USING (bus, name) JOIN json_each(event_rule.types) "
        "WHERE bus = ? AND json_each.value = ?"
    )
    with engine.store.read() as connection:
        queues = connection.execute(sql, (entry.get("EventBusName", _DEFAULT_BUS), entry["DetailType"])).fetchall()
    for (queue,) in queues:
        body = json.dumps(_envelope(entry, event_id, engine.clock()))
        sqs_queues.send_message(engine, {"QueueUrl": url_of(queue), "MessageBody": body})


def _envelope(entry: dict[str, Any], event_id: str, now_ms: int) -> dict[str, Any]:
    """Return the event as targets get it.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
    """
    return {
        "version": "0",
        "id": event_id,
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": ACCOUNT_ID,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_ms / 1000)),
        "region": REGION,
        "resources": [],
        "detail": json.loads(entry["Detail"]),
    }
