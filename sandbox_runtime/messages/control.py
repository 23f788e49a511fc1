"""The control object of a runner, which the functions write: the submissions that it must stop."""

import json
import re

MAX_CONTROL_BYTES = 65_536

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def cancelled_in(text: bytes) -> list[str]:
    """Return the ids of cancelled submissions. An object that cannot be read names none."""
    try:
        document = json.loads(text)
        ids = list(document["cancelled"])
    except (ValueError, TypeError, KeyError):
        return []
    return [each for each in ids if is_submission_id(each)]


def is_submission_id(text: object) -> bool:
    """Whether this may be the id of a submission."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None
