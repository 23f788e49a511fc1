"""The opaque cursor of a list: where its next page begins, good for one project only."""

import base64
import binascii
import re

from functions.core.errors import BadRequest

_CREATED_KEY = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SEPARATOR = "\n"


def write_cursor(project_id: str, created_key: str) -> str:
    """Make the cursor of the page after `created_key`."""
    return base64.urlsafe_b64encode(f"{project_id}{_SEPARATOR}{created_key}".encode()).decode().rstrip("=")


def read_cursor(project_id: str, cursor: str) -> str:
    """Return the `created_key` of a cursor of this project. Raises BadRequest for any other text."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        owner, _, created_key = raw.decode().partition(_SEPARATOR)
    except (binascii.Error, ValueError):
        raise BadRequest("The cursor is not one of this list.") from None
    if owner != project_id or not _CREATED_KEY.fullmatch(created_key):
        raise BadRequest("The cursor is not one of this list.")
    return created_key
