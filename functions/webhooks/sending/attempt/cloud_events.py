"""Events in the form of CloudEvents 1.0, for both content modes of its HTTP binding.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from functions.event_log.cut_body import event_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

STRUCTURED_TYPE: Final = "application/cloudevents+json"
_SUBJECTS: Final = ("check_id", "endpoint_id")


def attributes(event_id: str, submission_id: str, event: bytes, public_base_url: str) -> dict[str, str]:
    """Return the context attributes of an event. All values are visible ASCII, as headers need."""
    values: Mapping[str, Any] = json.loads(event)
    subject = submission_id or next((str(values[name]) for name in _SUBJECTS if name in values), "")
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": public_base_url or "rustbox",
        "type": values["type"],
        "time": values["timestamp"],
        **({"subject": subject} if subject else {}),
    }


def binary_headers(context: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of binary mode. The body is the event itself."""
    return {f"ce-{name}": value for name, value in context.items()}


def structured_body(context: Mapping[str, str], event: bytes) -> bytes:
    """Return the body of structured mode, with the bytes of the event as its data."""
    envelope = event_bytes({**context, "datacontenttype": "application/json"})
    return envelope.removesuffix(b"}") + b',"data":' + event + b"}"
