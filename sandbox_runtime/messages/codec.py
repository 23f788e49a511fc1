"""Strict JSON for frozen dataclasses: other types are refused, unknown keys ignored, as newer functions may send them.

A field's annotation is its rule: `Annotated[str, Check]`, `bytes` for canonical base64, nested dataclasses, tuples,
`X | None`. A field with a default may be absent, and is not written while it is None. `key()` gives a field another
JSON name. Errors name the field and the rule, never the value, which may be a user's source.
"""

import base64
import binascii
import dataclasses
import json
import math
import types
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

MAX_MESSAGE_BYTES = 1_048_576  # the limit of SQS


class MessageInvalidError(Exception):
    """A message that breaks its schema. `field`: the path of the first wrong field; "": the whole message."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"{field or 'message'}: {problem}")


@dataclass(frozen=True, slots=True)
class Check:
    """A rule in addition to the type. `expected`: its words for the error message."""

    accepts: Callable[[Any], bool]
    expected: str


def key(name: str, *, shown: bool = True, default: Any = dataclasses.MISSING) -> Any:
    """Make a dataclass field with the JSON name `name`. `shown=False` keeps its content out of the repr."""
    return dataclasses.field(metadata={"key": name}, repr=shown, default=default)


def load(text: str | bytes, most_bytes: int = MAX_MESSAGE_BYTES) -> dict[str, object]:
    """Parse one JSON object. Refuses NaN, duplicate keys, deep nesting and anything over `most_bytes`."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > most_bytes:
        raise MessageInvalidError("", f"must have at most {most_bytes} bytes")
    try:
        value = json.loads(raw, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise MessageInvalidError("", "must be JSON") from error
    if not isinstance(value, dict):
        raise MessageInvalidError("", "must be a JSON object")
    return cast("dict[str, object]", value)


def read[T](kind: type[T], value: object, path: str = "") -> T:
    """Build a dataclass from parsed JSON. Raises MessageInvalidError."""
    if not isinstance(value, dict):
        raise MessageInvalidError(path, "must be an object")
    found: dict[str, object] = {}
    for name, json_name, annotation, is_optional in _fields(cast("Hashable", kind)):
        where = f"{path}.{json_name}" if path else json_name
        if json_name in value:
            found[name] = _read_value(annotation, value[json_name], where)
        elif not is_optional:
            raise MessageInvalidError(where, "is missing")
    return kind(**found)


def write(message: object) -> dict[str, object]:
    """Convert a dataclass to the form that `read` accepts."""
    written: dict[str, object] = {}
    for name, json_name, _, is_optional in _fields(cast("Hashable", type(message))):
        value = getattr(message, name)
        if not (is_optional and value is None):
            written[json_name] = _write_value(value)
    return written


@cache
def _fields(kind: Any) -> tuple[tuple[str, str, Any, bool], ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        (
            field.name,
            field.metadata.get("key", field.name),
            _without_none(hints[field.name]) if field.default is None else hints[field.name],
            field.default is not dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
    )


def _read_value(kind: Any, value: object, path: str) -> object:
    origin = get_origin(kind)
    if origin is Annotated:
        base, *checks = get_args(kind)
        found = _read_value(base, value, path)
        for check in checks:
            if not check.accepts(found):
                raise MessageInvalidError(path, f"must be {check.expected}")
        return found
    if origin in {Union, types.UnionType}:
        return _read_union(get_args(kind), value, path)
    if origin is tuple and isinstance(value, list):
        return tuple(_read_value(get_args(kind)[0], item, f"{path}[{index}]") for index, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {name: _read_value(get_args(kind)[1], item, f"{path}.*") for name, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return read(cast("type[object]", kind), value, path)
    return _read_scalar(kind, value, path)


def _read_union(members: tuple[Any, ...], value: object, path: str) -> object:
    if value is None and types.NoneType in members:
        return None
    members = tuple(member for member in members if member is not types.NoneType)
    if len(members) > 1 and isinstance(value, dict):
        members = tuple(member for member in members if {name for _, name, _, _ in _fields(member)} <= value.keys())
    if len(members) != 1:
        raise MessageInvalidError(path, "has none of the allowed forms")
    return _read_value(members[0], value, path)


def _read_scalar(kind: Any, value: object, path: str) -> object:
    if kind is bytes and isinstance(value, str):
        return _read_base64(value, path)
    if kind is bool and isinstance(value, bool):
        return value
    if kind in {int, float} and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is float and isinstance(value, float) and math.isfinite(value):
        return value
    if kind is str and isinstance(value, str):
        return value
    raise MessageInvalidError(path, "has the wrong type")


def _read_base64(text: str, path: str) -> bytes:
    try:
        content = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise MessageInvalidError(path, "must be base64") from error
    # b64decode ignores trailing bits. Only the canonical form is the same after a round trip.
    if base64.b64encode(content).decode("ascii") != text:
        raise MessageInvalidError(path, "must be canonical base64")
    return content


def _write_value(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, tuple):
        return [_write_value(item) for item in value]
    if dataclasses.is_dataclass(value):
        return write(value)
    return value


def _without_none(kind: Any) -> Any:
    members = tuple(member for member in get_args(kind) if member is not types.NoneType)
    return Union[members]  # noqa: UP007 - built from a tuple at run time


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(name)
