"""Truncate the program's output in an event: for the event bus, or for an endpoint that wants less of it."""

import json
from collections.abc import Mapping
from typing import Any

from functions.http.paths import judge_path, result_path

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
