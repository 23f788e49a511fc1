"""The control object of a runner, which the functions write: what it must stop, and whose output is watched."""

import json
import re
from typing import Any

MAX_CONTROL_BYTES = 65_536

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def cancelled_in(text: bytes) -> list[str]:
    """Return the ids of cancelled submissions. An object that cannot be read names none."""
    return list(_entries(text, "cancelled"))


def watched_in(text: bytes) -> dict[str, int]:
    """Return the ids of watched submissions, each with the end of its watch in epoch milliseconds."""
    return {each: until_ms for each, until_ms in _entries(text, "watched").items() if type(until_ms) is int}


def _entries(text: bytes, name: str) -> dict[str, Any]:
    try:
        entries = json.loads(text)[name].items()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return {each: until_ms for each, until_ms in entries if is_submission_id(each)}


def is_submission_id(text: object) -> bool:
    """Whether this may be the id of a submission."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None
