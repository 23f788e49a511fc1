"""JSON bodies of answers."""

import json
from collections.abc import Iterable
from typing import Any

type Body = dict[str, Any]

LIST_MAX_BYTES = 4 * 1024 * 1024
"""Bodies of one page, together, as they are in Lambda's response, which has at most 6 MB: see `escaped_bytes`."""


def body_text(body: Any) -> str:
    """Return compact JSON without escapes for non-ASCII text. Raises ValueError for NaN and infinity."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def escaped_bytes(text: str) -> int:
    """Return the size of a text as an ASCII JSON string, which is its size in Lambda's response."""
    # Python 3.13's runtime does not escape non-ASCII letters; older ones and the local stack do. We take the larger.
    return len(json.dumps(text))


def count_fitting(texts: Iterable[str]) -> int:
    """Count the first bodies that fit into one page together, at least one if there is any."""
    total_bytes = taken = 0
    for text in texts:
        total_bytes += escaped_bytes(text)
        if taken and total_bytes > LIST_MAX_BYTES:
            break
        taken += 1
    return taken
