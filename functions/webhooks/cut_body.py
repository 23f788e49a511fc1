"""Truncate the program's output in an event whose body is too large for the event bus."""

import json
from collections.abc import Mapping
from typing import Any

CUT_OUTPUT_BYTES = 8 * 1024


def cut_body(body: bytes, result_url: str) -> bytes:
    """Truncate each output stream to 8 KiB. Return a body without output unchanged."""
    event = json.loads(body)
    output = event.get("output")
    if output is None:
        return body
    for copy in (event, output):
        for stream in ("stdout", "stderr"):
            copy[stream] = copy[stream].encode()[:CUT_OUTPUT_BYTES].decode(errors="ignore")
    output["truncated_in_event"] = True
    return event_bytes({**event, "result_url": result_url})


def event_bytes(event: Mapping[str, Any]) -> bytes:
    """Write an event as JSON in UTF-8."""
    # Metadata may contain a lone surrogate, which has no UTF-8 form. It must not stop the delivery.
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
