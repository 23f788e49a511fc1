"""The id and the type of a genuine call, where its sender puts them. Pure."""

import hashlib
import re
from typing import Any, NamedTuple

from functions.checks.events.signatures import ID_MAX_CHARS, Call, NotGenuineError, Scheme, Verification

_TYPE_MAX_CHARS = 128
_ID = re.compile(rf"[!-+\--~]{{1,{ID_MAX_CHARS}}}", re.ASCII)
"""Without spaces and commas: a header that came twice has both values in one, with a comma."""
_TYPE_PART = re.compile(r"[!-+\--~]([ -+\--~]*[!-+\--~])?", re.ASCII)


class CallName(NamedTuple):
    """`event_id`: the same in each repeat of the call. `event_type`: such as `push`; empty if there is none."""

    event_id: str
    event_type: str


def name_of(call: Call, verification: Verification, document: Any) -> CallName:
    """Return id and type of a call. `document`: its body if that is JSON. Raises NotGenuineError.

    Without an id of the sender's, the digest of the body is the id.
    """
    body = document if isinstance(document, dict) else {}
    digest = hashlib.sha256(call.body).hexdigest()
    match verification.scheme:
        case Scheme.STANDARD:  # its id was checked with the signature
            return CallName(call.header("webhook-id"), _type(body.get("type")))
        case Scheme.GITHUB:
            event_id = _required_id(call, "x-github-delivery")
            return CallName(event_id, _type(call.header("x-github-event"), body.get("action")))
        case Scheme.GITLAB:
            event_id = _id(call.header("idempotency-key"), call.header("x-gitlab-event-uuid"), digest)
            attributes = _object(body.get("object_attributes"))
            kind = body.get("object_kind") or body.get("event_name")
            return CallName(event_id, _type(kind, attributes.get("action")))
        case Scheme.STRIPE:
            return CallName(_id(body.get("id"), digest), _type(body.get("type")))
        case Scheme.SLACK:
            event = _object(body.get("event"))
            return CallName(_id(body.get("event_id"), digest), _type(event.get("type") or body.get("type")))
        case Scheme.HMAC:
            header, kind = verification.id_header, verification.event_header
            event_id = digest if header is None else _required_id(call, header)
            return CallName(event_id, _type(body.get("type") if kind is None else call.header(kind)))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _id(*candidates: Any) -> str:
    return next(each for each in candidates if isinstance(each, str) and _ID.fullmatch(each))


def _required_id(call: Call, header: str) -> str:
    """Return an id that is not signed. A call whose id is missing could be repeated without end."""
    if not _ID.fullmatch(text := call.header(header)):
        raise NotGenuineError(f"{header.lower()} is missing, came twice, or is no id")
    return text


def _type(*parts: Any) -> str:
    """Join the parts of a type with dots, up to the first that is none."""
    joined: list[str] = []
    for part in parts:
        if not isinstance(part, str) or not _TYPE_PART.fullmatch(part):
            break
        joined.append(part)
    text = ".".join(joined)
    return text if len(text) <= _TYPE_MAX_CHARS else ""
