"""Checks of fields that several requests have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from events.network import ENTRY_PATTERN, MAX_ALLOWED, allowed_host
from functions.clock import from_rfc3339, to_rfc3339
from functions.errors import FieldProblem
from functions.http.validation import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

METADATA_MAX_KEYS = 16
METADATA_MAX_BYTES = 2_048
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_LAST_MS = 253_402_300_799_999  # the end of the year 9999


def checked_line(text: str) -> str:
    """Refuse control characters and marks that reverse text: terminals show it."""
    if not text.isprintable() or not text.strip():
        raise ValueError("the text must be printable, on one line, and not blank")
    return text


def checked_moment(text: str) -> str:
    """Convert an RFC 3339 time to our format."""
    try:
        ms = from_rfc3339(text.upper()) if _TIME.fullmatch(text) else -1
    except (ValueError, OverflowError):
        ms = -1
    if not 0 <= ms <= _LAST_MS:
        raise ValueError("the text must be a time of RFC 3339 with its offset, such as 2027-01-31T12:00:00Z")
    return to_rfc3339(ms)


def checked_host(entry: str) -> str:
    """Refuse an entry that is not `name[:port]`."""
    allowed_host(entry)
    return entry


HostEntry = Annotated[Text, AfterValidator(checked_host), Field(json_schema_extra={"pattern": ENTRY_PATTERN})]
AllowList = Annotated[list[HostEntry], Field(min_length=1, max_length=MAX_ALLOWED)]
"""The hosts that a program may reach."""


def metadata_problems(field: str, metadata: Mapping[str, str]) -> list[FieldProblem]:
    """Return the problems with the size of metadata."""
    problems = []
    if len(metadata) > METADATA_MAX_KEYS:
        problems.append(FieldProblem(field, f"At most {METADATA_MAX_KEYS} keys."))
    if sum(len(name.encode()) + len(text.encode()) for name, text in metadata.items()) > METADATA_MAX_BYTES:
        problems.append(FieldProblem(field, f"At most {METADATA_MAX_BYTES:,} bytes of names and values."))
    return problems
