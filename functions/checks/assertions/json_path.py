"""JSON paths that name one value: the singular queries of RFC 9535, such as `$.items[0]['a key']` or `$[-1].id`."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_PATH_CHARS = 256
_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_\u0080-\U0010FFFF][A-Za-z0-9_\u0080-\U0010FFFF]*)"""
    r"""|\[(?P<index>0|-?[1-9][0-9]{0,8})\]"""
    r"""|\['(?P<single>[^'\\\x00-\x1f]*)'\]"""
    r"""|\["(?P<double>[^"\\\x00-\x1f]*)"\]"""
)
PATH_PATTERN = rf"^\$({re.sub(r'[?]P<[a-z]+>', '?:', _STEP.pattern)})*$".replace(r"\U0010FFFF", r"\uFFFF")
"""For a JSON Schema: the paths that are understood."""

MISSING = object()
"""The value of a path that leads nowhere."""


class PathError(ValueError):
    """The text is no path that names one value."""


def parse_path(text: str) -> tuple[str | int, ...]:
    """Return the names and indexes of a path. Raises PathError."""
    steps: list[str | int] = []
    at = 1
    if not text.startswith("$"):
        raise PathError("A path starts with `$`, as in $.items[0].id.")
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise PathError(f"The path is not understood from character {at + 1}. Use .name, ['name'] or [0].")
        kind = found.lastgroup or ""
        steps.append(int(found[kind]) if kind == "index" else found[kind])
        at = found.end()
    return tuple(steps)


def value_at(document: Any, steps: tuple[str | int, ...]) -> Any:
    """Return the value at a path, or MISSING."""
    for step in steps:
        if isinstance(step, str):
            document = document.get(step, MISSING) if isinstance(document, dict) else MISSING
        elif isinstance(document, list) and -len(document) <= step < len(document):
            document = document[step]
        else:
            return MISSING
    return document


def read_document(raw: bytes) -> Any:
    """Parse a program's output as JSON; MISSING if it is none."""
    try:
        return json.loads(raw.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return MISSING


def is_equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal: 1 equals 1.0, and true equals no number."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_equal(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_equal, left, right))
    return bool(left == right)


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse(name: str) -> Any:
    raise ValueError(name)
