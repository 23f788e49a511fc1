"""Check query parameters, path parameters and headers. All functions raise BadRequestError."""

import base64
import binascii
import functools
import re
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Literal

from functions.clock import from_rfc3339
from functions.errors import MAX_PROBLEMS, BadRequestError
from functions.http.validation import intended_name

# The opaque cursor of a list: the start of its next page, valid for one owner only.

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


# Paths of this API.


def find_route(path: str, templates: Iterable[str]) -> str | None:
    """Return the template that matches a path, for any method."""
    return next((template for template in templates if _pattern(template).fullmatch(path)), None)


@functools.cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{\w+\+}", ".+", re.sub(r"{\w+}", "[^/]+", template.replace(".", r"\."))))


def result_path(submission_id: str) -> str:
    """Path of one result, without stage prefix."""
    return f"/api/result/{submission_id}"


def event_path(event_id: str) -> str:
    """Path of one event, without stage prefix."""
    return f"/api/events/{event_id}"


def judge_path(submission_id: str) -> str:
    """Path of one judge run, without stage prefix."""
    return f"/api/judge/{submission_id}"


# The API key in an Authorization header.


def bearer_token(authorization: str) -> str:
    """Return the token of `Bearer`; empty for any other scheme."""
    scheme, _, rest = authorization.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""


def key_of(authorization: str) -> str:
    """Return the token of `Bearer`, or the password of `Basic`, as clients send that of a URL; empty for any other."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return bearer_token(authorization)
    try:
        return base64.b64decode(rest, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


LONG_POLL_MAX_SECS = 20
SUBMIT_MAX_SECS = 28
"""An HTTP API of AWS ends each request after 30 s."""
PAGE_DEFAULT = 50
PAGE_MAX = 100
IDEMPOTENCY_KEY_MAX_CHARS = 255

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SECS = re.compile(r"[0-9]{1,2}(\.[0-9]{1,3})?")
_NUMBER = re.compile(r"[0-9]{1,3}")
_LATEST_MS = from_rfc3339("9999-12-31T00:00:00Z")

type Parameters = Mapping[str, str]


def refuse_misspelt(parameters: Parameters, known: Collection[str]) -> None:
    """Refuse a name that misspells a known one, as `wiat` does `wait`. Other unknown names are ignored."""
    for name in islice(parameters, MAX_PROBLEMS) if known else ():
        if (intended := intended_name(name, known)) is not None:
            raise BadRequestError(f"There is no query parameter {name}. Did you mean {intended}?")


def uuid(text: str) -> str:
    """Return a UUID in lower case."""
    lowered = text.lower()
    if not _UUID.fullmatch(lowered):
        raise BadRequestError("The id is not a UUID.")
    return lowered


def detail_flag(parameters: Parameters) -> bool:
    """Read `detail` of the list of languages."""
    return _flag(parameters, "detail")


def wait_secs(parameters: Parameters, most_secs: int, default: Literal["true", "false"] = "false") -> float:
    """Read `wait` in seconds: `true` means `most_secs`, `false` means 0."""
    text = parameters.get("wait", default)
    if text in {"true", "false"}:
        return float(most_secs) if text == "true" else 0.0
    if not _SECS.fullmatch(text) or float(text) > most_secs:
        raise BadRequestError(f"wait must be true, false, or a number of seconds from 0 to {most_secs}.")
    return float(text)


def case_index(text: str) -> int:
    """Return the index of a case."""
    if not _NUMBER.fullmatch(text):
        raise BadRequestError("The index of a case is a whole number.")
    return int(text)


def page_limit(parameters: Parameters) -> int:
    """Read `limit` of a list."""
    text = parameters.get("limit", str(PAGE_DEFAULT))
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= PAGE_MAX:
        raise BadRequestError(f"limit must be a whole number from 1 to {PAGE_MAX}.")
    return int(text)


def since_ms(parameters: Parameters, name: str = "since") -> int | None:
    """Read `since` of a list, or another time of RFC 3339; None without it."""
    text = parameters.get(name)
    if text is None:
        return None
    try:
        return min(max(0, from_rfc3339(text.replace(" ", "+"))), _LATEST_MS)  # an unescaped plus sign is a space
    except (ValueError, OverflowError):
        raise BadRequestError(f"{name} must be a time such as 2026-11-24T12:00:00Z.") from None


def idempotency_key(headers: Parameters) -> str | None:
    """Read the Idempotency-Key header. `headers` must ignore case."""
    key = headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= IDEMPOTENCY_KEY_MAX_CHARS:
        raise BadRequestError(f"Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_MAX_CHARS} characters.")
    return key


def _flag(parameters: Parameters, name: str) -> bool:
    text = parameters.get(name, "false")
    if text not in {"true", "false"}:
        raise BadRequestError(f"{name} must be true or false.")
    return text == "true"
