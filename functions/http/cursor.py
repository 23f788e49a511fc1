"""The opaque cursor of a list: the start of its next page, valid for one owner only."""

import base64
import binascii
import re
from collections.abc import Mapping

from functions.errors import BadRequestError

_CREATED_KEY = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAMED_KEY = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z#[0-9A-Za-z_-]{1,64}")
"""The same with an id that need not be a UUID, such as a project id."""
_SEPARATOR = "\n"


def write_cursor(owner: str, created_key: str) -> str:
    """Return the cursor of the page after `created_key`. `owner`: a project id, or the name of a list."""
    return base64.urlsafe_b64encode(f"{owner}{_SEPARATOR}{created_key}".encode()).decode().rstrip("=")


def start_after(query: Mapping[str, str], owner: str, created_key_form: re.Pattern[str] = _CREATED_KEY) -> str | None:
    """Return the `created_key` of the query's cursor; None without one. Raises BadRequestError."""
    return read_cursor(owner, query["cursor"], created_key_form) if "cursor" in query else None


def read_cursor(owner: str, cursor: str, created_key_form: re.Pattern[str] = _CREATED_KEY) -> str:
    """Return the `created_key` of this owner's cursor. Raises BadRequestError for any other text."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        written_for, _, created_key = raw.decode().partition(_SEPARATOR)
    except (binascii.Error, ValueError):
        written_for = created_key = ""
    if written_for != owner or not created_key_form.fullmatch(created_key):
        raise BadRequestError("The cursor is not one of this list. Send a next_cursor of this list, or no cursor.")
    return created_key
