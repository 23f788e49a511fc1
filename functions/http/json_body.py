"""JSON bodies of answers."""

import json
from typing import Any

type Body = dict[str, Any]


def to_json(body: Any) -> str:
    """Write compact JSON in UTF-8. Raises ValueError for NaN, which JSON lacks."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
