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
from functools import cache, partial
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


type _Reader = Callable[[object, str], object]
"""Checks a value at a path of the message, and returns what the dataclass gets. Raises MessageInvalidError."""


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
    return cast("T", _reader(cast("Hashable", kind))(value, path))


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


@cache
def _reader(kind: Any) -> _Reader:
    """Build the reader of an annotation. The annotations of a message are looked at once, not for each value."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _reader_with_checks(*get_args(kind))
    if origin in {Union, types.UnionType}:
        return _reader_of_union(get_args(kind))
    if origin is tuple:
        return _reader_of_tuple(_reader(get_args(kind)[0]))
    if origin is dict:
        return _reader_of_dict(_reader(get_args(kind)[1]))
    if dataclasses.is_dataclass(kind):
        return _reader_of_dataclass(kind)
    return partial(_read_scalar, kind)


def _reader_with_checks(base: Any, *checks: Check) -> _Reader:
    read_base = _reader(base)

    def read_checked(value: object, path: str) -> object:
        found = read_base(value, path)
        for check in checks:
            if not check.accepts(found):
                raise MessageInvalidError(path, f"must be {check.expected}")
        return found

    return read_checked


def _reader_of_union(members: tuple[Any, ...]) -> _Reader:
    """A union has one member beside None, or members that `_takes` tells apart."""
    is_optional = types.NoneType in members
    kinds = [member for member in members if member is not types.NoneType]
    is_alone = len(kinds) == 1
    readers = [(_takes(kind), _reader(kind)) for kind in kinds]

    def read_member(value: object, path: str) -> object:
        if value is None and is_optional:
            return None
        found = [read_kind for takes, read_kind in readers if is_alone or takes(value)]
        if len(found) != 1:
            raise MessageInvalidError(path, "has none of the allowed forms")
        return found[0](value, path)

    return read_member


def _takes(kind: Any) -> Callable[[object], bool]:
    """Return whether a member of a union is meant by a value: by its keys if it is an object, else by its JSON type."""
    base = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if not dataclasses.is_dataclass(base):
        json_type = list if get_origin(base) is tuple else base
        return lambda value: isinstance(value, json_type)
    needed = frozenset(name for _, name, _, _ in _fields(cast("Hashable", base)))
    return lambda value: needed <= (value.keys() if isinstance(value, dict) else frozenset())


def _reader_of_tuple(read_item: _Reader) -> _Reader:
    def read_tuple(value: object, path: str) -> object:
        if not isinstance(value, list):
            raise MessageInvalidError(path, "has the wrong type")
        return tuple(read_item(item, f"{path}[{index}]") for index, item in enumerate(value))

    return read_tuple


def _reader_of_dict(read_item: _Reader) -> _Reader:
    def read_dict(value: object, path: str) -> object:
        if not isinstance(value, dict):
            raise MessageInvalidError(path, "has the wrong type")
        return {name: read_item(item, f"{path}.*") for name, item in value.items()}

    return read_dict


def _reader_of_dataclass(kind: Any) -> _Reader:
    fields = [(name, json_name, _reader(hint), is_optional) for name, json_name, hint, is_optional in _fields(kind)]

    def read_fields(value: object, path: str) -> object:
        if not isinstance(value, dict):
            raise MessageInvalidError(path, "must be an object")
        found: dict[str, object] = {}
        for name, json_name, read_field, is_optional in fields:
            where = f"{path}.{json_name}" if path else json_name
            if json_name in value:
                found[name] = read_field(value[json_name], where)
            elif not is_optional:
                raise MessageInvalidError(where, "is missing")
        return kind(**found)

    return read_fields


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
