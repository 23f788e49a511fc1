"""JSON bodies of answers."""

import json
from typing import Any

type Body = dict[str, Any]


def body_text(body: Any) -> str:
    """Return compact JSON without escapes for non-ASCII text. Raises ValueError for NaN and infinity."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
