"""The bytes of a `submission.completed` webhook: the result object plus type and timestamp, bounded in size."""

import codecs
import json
from collections.abc import Callable, Mapping
from typing import Any

from functions.core.submission import EVENT_COMPLETED

EVENT_SCHEMA = "webhook/v1"
MAX_BODY_BYTES = 256 * 1024
CUT_OUTPUT_BYTES = 8 * 1024


def completed_body(
    render: Callable[[bytes, bytes], Mapping[str, Any]],
    *,
    stdout: bytes,
    stderr: bytes,
    result_url: str,
) -> bytes:
    """JSON in UTF-8; the same submission always gives the same bytes.

    `render(stdout, stderr)` gives the result object of a final submission. A body above 256 KiB is made again
    with both streams cut to 8 KiB of text, marked `truncated_in_event`, and says where the whole is.
    """
    if len(stdout) + len(stderr) <= MAX_BODY_BYTES:
        body = _serialise(render(stdout, stderr))
        if len(body) <= MAX_BODY_BYTES:
            return body
    result = dict(render(_cut(stdout), _cut(stderr)))
    result["output"] = {**result["output"], "truncated_in_event": True}
    return _serialise({**result, "result_url": result_url})


def _serialise(result: Mapping[str, Any]) -> bytes:
    event = {"type": EVENT_COMPLETED, "timestamp": result["completed_at"], **result}
    # A lone surrogate (metadata may hold one) has no UTF-8 form; it must not stop the delivery.
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _cut(output: bytes) -> bytes:
    """Up to 8 KiB of the text that clients see (invalid UTF-8 replaced), never half a character."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(output[:CUT_OUTPUT_BYTES], final=len(output) <= CUT_OUTPUT_BYTES)
    return text.encode()[:CUT_OUTPUT_BYTES].decode(errors="ignore").encode()
