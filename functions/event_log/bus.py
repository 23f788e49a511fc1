"""The EventBridge bus. Every event but `project.changed` is also put there, for subscribers without a webhook.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Self

from functions.aws.clients import Clients
from functions.event_log.model import CUT_SIZES, cut_body
from functions.http.parameters import result_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from functions.env import Env
    from functions.event_log.model import Event


SOURCE = "rustbox"
MAX_ENTRY_BYTES = 1_000_000
"""Limit for source, detail type and detail together, of one entry and of all in a call: 1 MB since January 2026.

https://aws.amazon.com/blogs/compute/more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb
"""
_OTHER_PARTITIONS_BYTES = 256 * 1024
"""The documentation of other partitions than `aws` still has the limit of before:
https://docs.amazonaws.cn/goto/WebAPI/eventbridge-2015-10-07/PutEvents."""
TOO_LARGE = "EntryTooLarge"
"""Our error code of an entry that is too large even when it is cut. The bus would refuse the whole call, each time."""
_ENTRIES_PER_CALL = 10
_TRIES = 4
_FIRST_PAUSE_SECS = 0.05


class BusRefusedError(Exception):
    """The bus refused an entry _TRIES times. The message is its error code."""


class Bus:
    """Puts events on one bus; without a name on none. `public_base_url` has no trailing slash."""

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

    @classmethod
    def from_env(cls, env: Env) -> Self:
        return cls(env.settings.event_bus_name, Clients.events(), env.settings.public_base_url)

    def publish(self, event: Event) -> None:
        """Put one event, truncated if it is too large. Raises BusRefusedError, ClientError, BotoCoreError."""
        for code in self.publish_all([event]).values():
            raise BusRefusedError(code)

    def publish_all(self, events: Sequence[Event]) -> dict[str, str]:
        """Put events; return the error codes of refused events, by event id.

        Raises ClientError, BotoCoreError. The bus may then have accepted some of the events.
        """
        refused: dict[str, str] = {}
        if not self._name:  # the deployment has switched the bus off
            return refused
        entries = []
        for event in events:
            entry = self._entry(event)
            if _size(entry) > self._most_bytes:
                refused[event.event_id] = TOO_LARGE
            else:
                entries.append((event.event_id, entry))
        while entries:
            count = _count_for_one_call([entry for _, entry in entries], self._most_bytes)
            refused |= self._put(entries[:count])
            entries = entries[count:]
        return refused

    @property
    def _most_bytes(self) -> int:
        return MAX_ENTRY_BYTES if self._client.meta.partition == "aws" else _OTHER_PARTITIONS_BYTES

    def _entry(self, event: Event) -> PutEventsRequestEntryTypeDef:
        entry = self._entry_of(event, event.body)
        for kept_bytes in CUT_SIZES:
            if _size(entry) <= self._most_bytes:
                break
            url = self._public_base_url + result_path(event.submission_id)
            entry = self._entry_of(event, cut_body(event.body, url, kept_bytes))
        return entry

    def _entry_of(self, event: Event, body: bytes) -> PutEventsRequestEntryTypeDef:
        detail = _detail(event, body).decode()
        return {"Source": SOURCE, "DetailType": event.type, "Detail": detail, "EventBusName": self._name}

    def _put(self, entries: Sequence[tuple[str, PutEventsRequestEntryTypeDef]]) -> dict[str, str]:
        codes: dict[str, str] = {}
        for tried in range(_TRIES):
            # Single entries can fail in a successful call. botocore retries only calls that fail as a whole.
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
    """Insert `project_id` as the first member, so that rules can match it. This avoids parsing the body."""
    return b'{"project_id":' + json.dumps(event.project_id).encode() + b"," + body.removeprefix(b"{")


def _size(entry: PutEventsRequestEntryTypeDef) -> int:
    return len(SOURCE) + len(entry["DetailType"]) + len(entry["Detail"].encode())


def _count_for_one_call(entries: Sequence[PutEventsRequestEntryTypeDef], most_bytes: int) -> int:
    """Count the first entries that fit into one call: at most ten and `most_bytes` together, at least one."""
    total_bytes = 0
    for index, entry in enumerate(entries[:_ENTRIES_PER_CALL]):
        total_bytes += _size(entry)
        if total_bytes > most_bytes:
            return max(1, index)
    return min(len(entries), _ENTRIES_PER_CALL)
