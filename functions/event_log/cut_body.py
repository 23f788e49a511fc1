"""Truncate the program's output in an event whose body is too large for the event bus."""

import json
from collections.abc import Mapping
from typing import Any

CUT_OUTPUT_BYTES = 8 * 1024
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


def event_bytes(event: Mapping[str, Any]) -> bytes:
    """Write an event as JSON in UTF-8."""
    # Metadata may contain a lone surrogate, which has no UTF-8 form. It must not stop the delivery.
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
