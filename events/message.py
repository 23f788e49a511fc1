"""JSON messages of frozen structs, whose annotations are their rules. Unknown keys are ignored; null means absent.

`Kind.parse(text)` checks everything and raises MessageInvalidError, which names a field and a rule and never quotes the
content. `message.serialise()` writes ASCII, because SQS refuses some characters.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self, cast

import msgspec
from msgspec import Meta, Struct

from events import MessageInvalidError

MAX_MESSAGE_BYTES = 1_048_576
"""The limit of SQS."""
_PLACE = re.compile(r" - at (?:`key` in )?`\$\.?([^`]*)`$")
_MISSING = re.compile(r"Object missing required field `(\w+)`")
# Other messages of msgspec quote the value.
_SAFE = ("Expected `", "Object missing", "Invalid base64", "Number out of range")
# The last characters of base64 whose unused bits are zero. msgspec ignores these bits, and the text would change.
_CANONICAL = re.compile(r"(?:\A|[^=]|[AQgw]==|[AEIMQUYcgkosw048]=)\Z")
_IDS = re.compile(r"[0-9A-Za-z._~:=+/-]{1,128}")


def exactly(pattern: str) -> Meta:
    """Return the rule that a pattern matches the whole text. Python's `$` alone also matches before a last newline."""
    return Meta(pattern=rf"^{pattern}$(?!\n)")


MAX_COUNT = 2**63 - 1
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
PositiveCount = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Measure = Annotated[float, Meta(ge=0)]
ShortText = Annotated[str, Meta(max_length=1024)]
Names = Annotated[tuple[ShortText, ...], Meta(max_length=128)]
Uuid = Annotated[
    str,
    exactly("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    Meta(extra_json_schema={"format": "uuid"}),
]
Time = Annotated[
    str,
    exactly(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3,6}Z"),
    Meta(extra_json_schema={"format": "date-time"}),
]
CorrelationId = Annotated[str, exactly(_IDS.pattern)]
NodeId = Annotated[str, Meta(min_length=1, max_length=128)]
Sha256 = Annotated[str, exactly("[0-9a-f]{64}")]


class Shape(Struct, frozen=True, omit_defaults=True):
    """A part of a message. An optional field is not written while it is None.

    ONE_OF: fields of which exactly one is given; `check_one_of` checks them.
    """

    ONE_OF: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        """Show no content and no variables: they are a user's, and may be secret."""
        shown = ((name, getattr(self, name)) for name in self.__struct_fields__)
        fields = ", ".join(f"{name}={value!r}" for name, value in shown if not isinstance(value, bytes | dict))
        return f"{type(self).__name__}({fields})"

    def check_one_of(self) -> None:
        """Raise MessageInvalidError unless exactly one of the fields of ONE_OF is given."""
        if sum(getattr(self, name) is not None for name in self.ONE_OF) != 1:
            names = dict(zip(self.__struct_fields__, self.__struct_encode_fields__, strict=True))
            raise MessageInvalidError("", f"must have one of {', '.join(names[name] for name in self.ONE_OF)}")

    def changed(self, **fields: Any) -> Self:
        """Return a copy with these fields."""
        return msgspec.structs.replace(self, **fields)


class Message(Shape, frozen=True, kw_only=True, tag_field="type"):
    """Base of all messages: `type` and `version` are beside the fields.

    NEWER: versions above 1, the highest first, with the fields that need them, also those of `limits`. A reader that
    does not know a field would ignore it; it refuses the version. TIMES: the fields with a time.
    """

    NEWER: ClassVar[tuple[tuple[int, frozenset[str]], ...]] = ()
    TIMES: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name in self.TIMES:
            try:
                parse_time(getattr(self, name))
            except ValueError:
                raise MessageInvalidError(name, "must be an RFC 3339 time in UTC with milliseconds") from None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Build a message from the values of its attributes, and check it. Raises MessageInvalidError.

        Values that it has no attribute for are ignored.
        """
        names = zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True)
        return to_shape({written: values[name] for name, written in names if name in values}, cls)

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Parse a message of this type. Raises MessageInvalidError."""
        return parse(text, cls)

    def serialise(self) -> str:
        """Return the message as one line of JSON, in ASCII."""
        fields = msgspec.to_builtins(self)
        written = {"type": fields.pop("type"), "version": version_of(type(self), fields), **fields}
        return json.dumps(written, separators=(",", ":"), allow_nan=False)

    @property
    def type(self) -> str:
        """Its `type`."""
        return type_of(type(self))

    @property
    def version(self) -> int:
        """Its `version`, which its fields need."""
        return version_of(type(self), msgspec.to_builtins(self))


def parse[T: Message](text: str | bytes, *kinds: type[T]) -> T:
    """Parse a message of one of these types. Raises MessageInvalidError."""
    fields = load(text)
    return to_shape(fields, opened(fields, *kinds))


def opened[T: Message](fields: Mapping[str, object], *kinds: type[T]) -> type[T]:
    """Return the type of a loaded message, whose version must be the one of its fields. Raises MessageInvalidError."""
    kind = next((kind for kind in kinds if type_of(kind) == fields.get("type")), None)
    if kind is None:
        raise MessageInvalidError("type", f"must be one of {', '.join(map(type_of, kinds))}")
    version, expected = fields.get("version"), version_of(kind, fields)
    if version != expected or not isinstance(version, int) or isinstance(version, bool):
        raise MessageInvalidError("version", f"must be {expected}")
    return kind


def type_of(kind: type[Message]) -> str:
    """Return the `type` of a kind of message."""
    return str(kind.__struct_config__.tag)


def version_of(kind: type[Message], fields: Mapping[str, object]) -> int:
    """Return the version that the fields of a message need."""
    limits = fields.get("limits")
    given = {**(limits if isinstance(limits, dict) else {}), **fields}
    names = {name for name, value in given.items() if value is not None}
    return next((version for version, newer in kind.NEWER if newer & names), 1)


def load(text: str | bytes, most_bytes: int = MAX_MESSAGE_BYTES) -> dict[str, object]:
    """Parse one JSON object.

    Refuses anything over `most_bytes`, other encodings than UTF-8, duplicate keys, deep nesting, NaN and halves of
    surrogate pairs.
    """
    try:
        raw = text.encode() if isinstance(text, str) else text
        if len(raw) > most_bytes:
            raise MessageInvalidError("", f"must have at most {most_bytes} bytes")  # noqa: TRY301 - it has a handler below
        # Of bytes, json.loads would take other encodings too, and halves of surrogate pairs.
        value = json.loads(raw.decode(), parse_constant=_finite, parse_float=_finite, object_pairs_hook=_unique_keys)
        if b"\\ud" in raw or b"\\uD" in raw:
            json.dumps(value, ensure_ascii=False).encode()
    except MessageInvalidError:
        raise
    except (ValueError, RecursionError) as error:
        raise MessageInvalidError("", "must be JSON") from error
    if not isinstance(value, dict):
        raise MessageInvalidError("", "must be a JSON object")
    return cast("dict[str, object]", value)


def to_shape[T: Shape](value: object, kind: type[T]) -> T:
    """Check parsed JSON. Raises MessageInvalidError."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _refusal(error) from None


def read[T: Shape](text: str | bytes, kind: type[T], most_bytes: int) -> T:
    """Read a part of a message that is kept by itself. Raises MessageInvalidError."""
    return to_shape(load(text, most_bytes), kind)


def as_fields(shape: Shape) -> dict[str, Any]:
    """Return a part of a message as JSON has it."""
    return cast("dict[str, Any]", msgspec.json.decode(msgspec.json.encode(shape)))


def by_name(shape: Shape) -> dict[str, Any]:
    """Return a part of a message as JSON has it, with the names of its attributes: for hashes that must stay."""
    values = ((name, getattr(shape, name)) for name in shape.__struct_fields__)
    return {name: _plain(value) for name, value in values if value is not None}


def write(shape: Shape) -> bytes:
    """Write a part of a message that is kept by itself."""
    return msgspec.json.encode(shape)


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and `Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_time(text: str) -> datetime:
    """Parse what `Time` accepts."""
    return datetime.fromisoformat(text)


def is_correlation_id(text: str) -> bool:
    """1 to 128 characters that no log or query needs to escape."""
    return _IDS.fullmatch(text) is not None


def _plain(value: object) -> object:
    if isinstance(value, Shape):
        return by_name(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else msgspec.to_builtins(value)


def _refusal(error: msgspec.ValidationError) -> MessageInvalidError:
    text = str(error)
    place = _PLACE.search(text)
    path = place[1] if place is not None else ""
    own = error.__cause__
    if isinstance(own, MessageInvalidError):
        return MessageInvalidError(".".join(filter(None, (path, own.field))), own.problem)
    problem = text[: place.start()] if place is not None else text
    if (missing := _MISSING.fullmatch(problem)) is not None:
        return MessageInvalidError(".".join(filter(None, (path, missing[1]))), "is missing")
    return MessageInvalidError(path, problem if problem.startswith(_SAFE) else "has none of the allowed values")


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    for name, value in pairs:
        if name.endswith("base64") and isinstance(value, str) and not _CANONICAL.search(value[-3:]):
            raise MessageInvalidError(name, "must be canonical base64")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value
