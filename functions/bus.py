"""The EventBridge bus, where every event is also put: others subscribe there without a webhook.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from functions.core.event_body import cut_body
from functions.core.result_view import result_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from functions.core.delivery import Event

SOURCE = "rustbox"
MAX_ENTRY_BYTES = 256 * 1024
"""Of source, detail type and detail together."""
_TRIES = 4
_FIRST_PAUSE_SECS = 0.05


class BusRefused(Exception):  # noqa: N818 - says what happened
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

    @staticmethod
    def fits(event: Event) -> bool:
        """Whether the bus takes the event's body as it is."""
        return len(SOURCE) + len(event.type) + len(event.body) <= MAX_ENTRY_BYTES

    def publish(self, event: Event) -> None:
        """Put one event, with its output cut if it is too large. Raises BusRefused, ClientError, BotoCoreError."""
        body = event.body
        if not self.fits(event):
            body = cut_body(body, self._public_base_url + result_path(event.submission_id))
        entry: PutEventsRequestEntryTypeDef = {
            "Source": SOURCE,
            "DetailType": event.type,
            "Detail": body.decode(),
            "EventBusName": self._name,
        }
        for tried in range(_TRIES):
            # An entry fails by itself, in an answer that is a success: botocore repeats only calls that fail whole.
            answer = self._client.put_events(Entries=[entry])
            if not answer["FailedEntryCount"]:
                return
            code = answer["Entries"][0].get("ErrorCode", "unknown")
            if tried + 1 < _TRIES:
                self._sleep(_FIRST_PAUSE_SECS * 2**tried)
        raise BusRefused(code)
