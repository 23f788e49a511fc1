"""Query parameters, path parameters and headers: text in, checked value out. All raise BadRequest."""

import re
from collections.abc import Mapping

from functions.core.errors import BadRequest
from functions.core.languages import canonical
from functions.core.result_view import Encoding
from functions.core.submission import Status
from functions.core.verdict import Verdict

LONG_POLL_MAX_SECS = 20
PAGE_DEFAULT = 50
PAGE_MAX = 100
IDEMPOTENCY_KEY_MAX_CHARS = 255

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SECS = re.compile(r"[0-9]{1,2}(\.[0-9]{1,3})?")
_NUMBER = re.compile(r"[0-9]{1,3}")

type Parameters = Mapping[str, str]


def submission_id(text: str) -> str:
    """Return a UUID in lower case."""
    lowered = text.lower()
    if not _UUID.fullmatch(lowered):
        raise BadRequest("The id is not a UUID.")
    return lowered


def wait_flag(parameters: Parameters) -> bool:
    """Read `wait` of submit."""
    text = parameters.get("wait", "false")
    if text not in {"true", "false"}:
        raise BadRequest("wait must be true or false.")
    return text == "true"


def detail_flag(parameters: Parameters) -> bool:
    """Read `detail` of the list of languages."""
    text = parameters.get("detail", "false")
    if text not in {"true", "false"}:
        raise BadRequest("detail must be true or false.")
    return text == "true"


def wait_secs(parameters: Parameters) -> float:
    """Read `wait` of a result: seconds, 0 where it is left out."""
    text = parameters.get("wait", "0")
    if not _SECS.fullmatch(text) or float(text) > LONG_POLL_MAX_SECS:
        raise BadRequest(f"wait must be a number of seconds from 0 to {LONG_POLL_MAX_SECS}.")
    return float(text)


def output_encoding(parameters: Parameters) -> Encoding | None:
    """Read `encoding` of a result."""
    text = parameters.get("encoding")
    if text is None:
        return None
    if text != "base64":
        raise BadRequest("encoding must be base64, or be left out.")
    return "base64"


def page_limit(parameters: Parameters) -> int:
    """Read `limit` of a list."""
    text = parameters.get("limit", str(PAGE_DEFAULT))
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= PAGE_MAX:
        raise BadRequest(f"limit must be a whole number from 1 to {PAGE_MAX}.")
    return int(text)


def list_filters(parameters: Parameters) -> dict[str, str]:
    """Read the filters of the list of results: attribute -> value."""
    filters = {name: parameters[name] for name in ("status", "verdict", "language") if name in parameters}
    if filters.get("status", Status.PENDING) not in list(Status):
        raise BadRequest(f"status must be one of {', '.join(Status)}.")
    if filters.get("verdict", Verdict.AC) not in list(Verdict):
        raise BadRequest(f"verdict must be one of {', '.join(Verdict)}.")
    if "language" in filters:
        language = canonical(filters["language"])
        if language is None:
            raise BadRequest("language is not one of GET /api/languages.")
        filters["language"] = language.value
    return filters


def idempotency_key(headers: Parameters) -> str | None:
    """Read the Idempotency-Key header; `headers` ignores case."""
    key = headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= IDEMPOTENCY_KEY_MAX_CHARS:
        raise BadRequest(f"Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_MAX_CHARS} characters.")
    return key
