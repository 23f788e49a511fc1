"""The bodies that programs of endpoints write: what a program prints, and the row of a body."""

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from functions.aws.dynamodb.items import Value, key
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC
from functions.event_log.model import TTL_MS, event_bytes
from functions.webhooks.deliveries.model import Delivery
from functions.webhooks.endpoints.requests import normalise_headers

MAX_BODY_BYTES = 256 * 1024
_FIELDS = frozenset({"body", "headers", "skip"})
_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"
_CONTENT_TYPE = re.compile(r"[!-~]([ !-~]{0,254}[!-~])?")
_NOTHING = 'The program printed nothing. Print {"skip": true} to send nothing.'


class OutputInvalidError(ValueError):
    """The output of a program is no body. The text says why."""


@dataclass(frozen=True, slots=True)
class WrittenBody:
    """A body, and the headers that go with it, `content-type` among them."""

    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, stored: bytes) -> "WrittenBody":
        """Return the body of its stored bytes: a line with the headers as JSON, then the content."""
        head, _, content = stored.partition(b"\n")
        return cls(content, json.loads(head))

    @property
    def stored(self) -> bytes:
        return event_bytes(self.headers) + b"\n" + self.content


def read_output(stdout: bytes) -> WrittenBody | None:
    """Return the body that a program printed; None: it skips the event. Raises OutputInvalidError.

    An object with `body`, `headers` or `skip` has nothing else. Any other output is the body.
    """
    try:
        text = stdout.decode()
    except UnicodeDecodeError:
        raise OutputInvalidError("The output is not UTF-8.") from None
    if not text.strip():
        raise OutputInvalidError(_NOTHING)
    answer, is_json = _parsed(text)
    if not isinstance(answer, dict) or not _FIELDS.intersection(answer):
        return _body(text.removesuffix("\n").encode(), _JSON if is_json else _TEXT, {})
    if unknown := sorted(answer.keys() - _FIELDS):
        raise OutputInvalidError(f"The object has the unknown field {unknown[0][:64]!r} beside body, headers and skip.")
    if not isinstance(answer.get("skip", False), bool):
        raise OutputInvalidError("skip must be true or false.")
    if answer.get("skip"):
        return None
    if "body" not in answer:
        raise OutputInvalidError("The object has no body.")
    return _body(*_content(answer["body"]), _headers(answer.get("headers", {})))


def _parsed(text: str) -> tuple[Any, bool]:
    """Return the value of a text, and whether it is JSON. Raises OutputInvalidError for what only Python takes."""
    constants: list[str] = []
    try:
        value = json.loads(text, parse_constant=constants.append)
    except (ValueError, RecursionError):
        return None, False
    if constants:
        raise OutputInvalidError(f"The output has {constants[0]}, which JSON cannot have.")
    return value, True


def _content(body: Any) -> tuple[bytes, str]:
    try:
        if isinstance(body, str):
            return body.encode(), _JSON if _parsed(body)[1] else _TEXT
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(), _JSON
    except (ValueError, RecursionError):
        raise OutputInvalidError("The body has a value that JSON in UTF-8 cannot have.") from None


def _headers(given: Any) -> dict[str, str]:
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise OutputInvalidError("headers must be an object whose values are texts.")
    content_types = [value for name, value in given.items() if name.lower() == "content-type"]
    if not all(map(_CONTENT_TYPE.fullmatch, content_types)):
        raise OutputInvalidError("headers.content-type must be 1 to 256 visible ASCII characters.")
    others = {name: value for name, value in given.items() if name.lower() != "content-type"}
    headers, problems = normalise_headers(others, scheme="https")
    if problems:
        raise OutputInvalidError(f"{problems[0].field}: {problems[0].message}")
    return headers | ({"content-type": content_types[-1]} if content_types else {})


def _body(content: bytes, content_type: str, headers: Mapping[str, str]) -> WrittenBody:
    if len(content) > MAX_BODY_BYTES:
        raise OutputInvalidError(f"The body has {len(content):,} bytes; at most {MAX_BODY_BYTES:,}.")
    return WrittenBody(content, {"content-type": content_type, **headers})


# The rows of bodies, in the table of deliveries. Each goes with its event: see `DeliveryStore.cancel_event`.


def body_key(event_id: str, endpoint_id: str) -> dict[str, Any]:
    """Return the key of the row of the body that an endpoint gets of an event."""
    return key(f"EVENT#{event_id}", f"BODY#{endpoint_id}")


def body_row(delivery: Delivery, stored: bytes, now_ms: int) -> dict[str, Value | None]:
    """Build the row of a body."""
    return {
        "pk": f"EVENT#{delivery.event_id}",
        "sk": f"BODY#{delivery.endpoint_id}",
        "body_zlib": zlib.compress(stored),
        "ttl": (now_ms + TTL_MS) // MS_PER_SEC,
    }


class BodyStore(Table):
    """Reads the rows of bodies."""

    table_setting = "deliveries_table"

    def get(self, delivery: Delivery) -> bytes:
        """Return the stored bytes; b"" if they are gone, as after the deletion of their event."""
        row = self._get(body_key(delivery.event_id, delivery.endpoint_id)) or {}
        return zlib.decompress(row["body_zlib"]) if "body_zlib" in row else b""
