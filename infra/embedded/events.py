"""EventBridge: buses that check what is put, and pass it to the queues of their rules."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from infra.embedded import event_rules
from infra.embedded.engine import ACCOUNT_ID, REGION
from infra.embedded.errors import ServiceError, invalid, unknown

if TYPE_CHECKING:
    from infra.embedded.calls import Answer, Params
    from infra.embedded.engine import Engine

_MOST_ENTRIES: Final = 10
_MOST_BYTES: Final = 256 * 1024
_MEMBERS: Final = {"Source", "DetailType", "Detail", "EventBusName"}


def create_event_bus(engine: Engine, params: Params) -> Answer:
    """Create a bus."""
    name = params["Name"]
    with engine.store.write() as connection:
        if connection.execute("INSERT OR IGNORE INTO event_bus VALUES (?)", (name,)).rowcount == 0:
            raise ServiceError("ResourceAlreadyExistsException", f"Event bus {name} already exists.")
    return {"EventBusArn": f"arn:aws:events:{REGION}:{ACCOUNT_ID}:event-bus/{name}"}


def put_events(engine: Engine, params: Params) -> Answer:
    """Take up to ten events; a bad one fails alone."""
    entries = params["Entries"]
    if not 1 <= len(entries) <= _MOST_ENTRIES:
        raise invalid(f"Entries must have 1 to {_MOST_ENTRIES} members; got {len(entries)}")
    if sum(_size(entry) for entry in entries) > _MOST_BYTES:
        raise invalid("Total size of the entries in the request is over the limit.")
    with engine.store.read() as connection:
        buses = {name for (name,) in connection.execute("SELECT name FROM event_bus")}
        rules = event_rules.read_rules(connection)
    results = [_result(entry, buses) for entry in entries]
    for entry, result in zip(entries, results, strict=True):
        if "EventId" in result:
            event_rules.deliver(engine, rules, entry, result["EventId"])
    return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}


def _size(entry: dict[str, Any]) -> int:
    return sum(len(entry.get(name, "").encode()) for name in ("Source", "DetailType", "Detail"))


def _result(entry: dict[str, Any], buses: set[str]) -> dict[str, str]:
    if strange := entry.keys() - _MEMBERS:
        raise unknown(f"the member {min(strange)} of an event")
    name = entry.get("EventBusName", "default")
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
