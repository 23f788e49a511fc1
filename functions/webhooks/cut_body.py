"""Cut the output in the body of an event, where the whole body does not fit."""

import json
from collections.abc import Mapping
from typing import Any

CUT_OUTPUT_BYTES = 8 * 1024


def cut_body(body: bytes, result_url: str) -> bytes:
    """Cut the output in a body, each stream to 8 KiB; a body without output stays as it is."""
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
    # A lone surrogate (metadata may hold one) has no UTF-8 form; it must not stop the delivery.
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
