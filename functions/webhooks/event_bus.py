"""The EventBridge bus, where every event is also put: others subscribe there without a webhook.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from functions.http.paths import result_path
from functions.webhooks.cut_body import cut_body

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from functions.webhooks.deliveries.model import Event

SOURCE = "rustbox"
MAX_ENTRY_BYTES = 256 * 1024
"""Of source, detail type and detail together; of one entry, and of all entries of a call."""
_ENTRIES_PER_CALL = 10
_TRIES = 4
_FIRST_PAUSE_SECS = 0.05


class BusRefusedError(Exception):
    """The bus took the call but not the entry, several times. Names the bus's own code."""


class Bus:
    """One event bus. `public_base_url` has no slash at its end."""

    def __init__(
        self,
        name: str,
        client: EventBridgeClient,
        public_base_url: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name = name
        self._client = client
        self._public_base_url = public_base_url
        self._sleep = sleep

    def publish(self, event: Event) -> None:
        """Put one event, with its output cut if it is too large. Raises BusRefusedError, ClientError, BotoCoreError."""
        for code in self.publish_all([event]).values():
            raise BusRefusedError(code)

    def publish_all(self, events: Sequence[Event]) -> dict[str, str]:
        """Put them in as few calls as it takes; return the bus's own code for each that it refused, by event id.

        Raises ClientError, BotoCoreError; then any of them may have been taken.
        """
        refused: dict[str, str] = {}
        entries = [(event.event_id, self._entry(event)) for event in events]
        while entries:
            count = _fitting([entry for _, entry in entries])
            refused |= self._put(entries[:count])
            entries = entries[count:]
        return refused

    def _entry(self, event: Event) -> PutEventsRequestEntryTypeDef:
        detail = _detail(event, event.body)
        if len(SOURCE) + len(event.type) + len(detail) > MAX_ENTRY_BYTES:
            url = self._public_base_url + result_path(event.submission_id)
            detail = _detail(event, cut_body(event.body, url))
        return {"Source": SOURCE, "DetailType": event.type, "Detail": detail.decode(), "EventBusName": self._name}

    def _put(self, entries: Sequence[tuple[str, PutEventsRequestEntryTypeDef]]) -> dict[str, str]:
        codes: dict[str, str] = {}
        for tried in range(_TRIES):
            # An entry fails by itself, in an answer that is a success: botocore repeats only calls that fail whole.
            answer = self._client.put_events(Entries=[entry for _, entry in entries])
            if not answer["FailedEntryCount"]:
                return {}
            results = zip(entries, answer["Entries"], strict=True)
            failed = [(entry, result) for entry, result in results if "ErrorCode" in result]
            entries = [entry for entry, _ in failed]
            codes = {event_id: result["ErrorCode"] for (event_id, _), result in failed}
            if tried + 1 < _TRIES:
                self._sleep(_FIRST_PAUSE_SECS * 2**tried)
        return codes


def _detail(event: Event, body: bytes) -> bytes:
    """Put `project_id` before the body's own members: a rule can match it, and the bytes need not be parsed."""
    return b'{"project_id":' + json.dumps(event.project_id).encode() + b"," + body.removeprefix(b"{")


def _fitting(entries: Sequence[PutEventsRequestEntryTypeDef]) -> int:
    """How many of the first go into one call: ten, and no more bytes together than one may have; at least one."""
    together = 0
    for place, entry in enumerate(entries[:_ENTRIES_PER_CALL]):
        together += len(SOURCE) + len(entry["DetailType"]) + len(entry["Detail"].encode())
        if together > MAX_ENTRY_BYTES:
            return max(1, place)
    return min(len(entries), _ENTRIES_PER_CALL)
