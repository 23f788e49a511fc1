"""Events with the bytes of their bodies, their entries in lists and in the event log, and the consumers of the log."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from functions.http.parameters import judge_path, result_path

TTL_MS = 24 * 86_400_000
"""Rows are kept this long: replay window (14 days) plus the longest schedule, nine delays of up to 24 h each."""
LOG_MS = 14 * 86_400_000
"""Retention of the event log."""
MAX_CONSUMERS = 20
"""Limit for a project. One query reads them all."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event with the immutable bytes that every attempt signs and sends.

    `submission_id`, `correlation_id` and `traceparent` (the client's trace) are "" without a run.
    """

    event_id: str
    type: str
    project_id: str
    body: bytes = field(repr=False)
    submission_id: str = ""
    correlation_id: str = ""
    traceparent: str = ""

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes. Each delivery row has it, so that a hint with other bytes is never sent."""
        return hashlib.sha256(self.body).digest()


class Delivered(Protocol):
    """The ids of an event, as each of its deliveries has them."""

    @property
    def project_id(self) -> str:
        """The project of the event."""

    @property
    def event_id(self) -> str:
        """Its id."""

    @property
    def event_type(self) -> str:
        """Its type."""

    @property
    def submission_id(self) -> str:
        """Its submission; "" without one."""


class Reason(StrEnum):
    """Why an event is in the log."""

    EVENT = "event"
    REPLAY = "replay"  # a client replayed or recovered one of its deliveries
    TEST = "test"  # a test send or a sample; nothing happened


@dataclass(frozen=True, slots=True)
class Entry:
    """One event in a list or in the log. `at`: RFC 3339, when the row was written. `submission_id` "": no run."""

    event_id: str
    type: str
    submission_id: str
    at: str
    reason: Reason = Reason.EVENT

    @property
    def key(self) -> str:
        """Sort key: by time, then by id. A replay does not replace the event itself."""
        return f"{self.at}#{self.event_id}" + ("#replay" if self.reason is Reason.REPLAY else "")


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the log: the last position, and when it was given. No entry: 0, 0.

    `ordering_until_ms`: the end of the lease of the poll that orders a backlog; 0 without one.
    """

    last: int
    ordered_ms: int
    ordering_until_ms: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry and its position in the log."""

    position: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer. It has handled all entries up to `position`. It expires the log's retention after `polled_ms`."""

    name: str
    position: int
    created_at: str
    polled_ms: int


# Truncate the program's output in an event: for the event bus, or for an endpoint that wants less of it.

CUT_OUTPUT_BYTES = 8 * 1024
_STREAMS = ("stdout", "stderr")
CUT_SIZES = (CUT_OUTPUT_BYTES, 1024)
"""Tried in turn: JSON writes six bytes for each control character, so 8 KiB of a stream may still be too much."""


def cut_body(body: bytes, result_url: str, kept_bytes: int = CUT_OUTPUT_BYTES) -> bytes:
    """Truncate each output stream to `kept_bytes`. Return a body without output unchanged."""
    event = json.loads(body)
    output = event.get("output")
    if output is None:
        return body
    for copy in (event, output):
        for stream in ("stdout", "stderr"):
            copy[stream] = copy[stream].encode()[:kept_bytes].decode(errors="ignore")
    output["truncated_in_event"] = True
    return event_bytes({**event, "result_url": result_url})


def limit_output(body: bytes, public_base_url: str, submission_id: str, most_bytes: int) -> bytes:
    """Truncate each output stream of a run, or of each case of a judge run; the same bytes if none is longer.

    `public_base_url` has no trailing slash.
    """
    event = json.loads(body)
    cases = event.get("results", [])
    places = [event, event.get("output", {}), *cases]
    is_cut = [_truncate(place, stream, most_bytes) for place in places for stream in _STREAMS]
    if not any(is_cut):
        return body
    if cases:
        event |= {"truncated_in_event": True, "result_url": public_base_url + judge_path(submission_id)}
    else:
        event["output"]["truncated_in_event"] = True
        event["result_url"] = public_base_url + result_path(submission_id)
    return event_bytes(event)


def _truncate(place: dict[str, Any], stream: str, most_bytes: int) -> bool:
    """Truncate one stream; False if it is not longer. A stream of a case then says so."""
    whole = (place.get(stream) or "").encode()
    if len(whole) <= most_bytes:
        return False
    place[stream] = whole[:most_bytes].decode(errors="ignore")
    if "index" in place:
        place[f"{stream}_truncated"] = True
    return True


def event_bytes(event: Mapping[str, Any]) -> bytes:
    """Write an event as JSON in UTF-8."""
    # Metadata may contain a lone surrogate, which has no UTF-8 form. It must not stop the delivery.
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
