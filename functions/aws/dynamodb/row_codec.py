"""Rows of frozen dataclasses, and back. The annotation of a field says how it is stored.

| annotation | attribute |
|---|---|
| `str`, `int`, `bool`, `bytes`, `frozenset[str]` | the value |
| an enum | its value |
| `tuple[X, ...]`, `Mapping[str, X]`, a dataclass | a list, a map, a map of its fields |
| `X | None` | no attribute while it is None |
| `Annotated[X, OMIT_DEFAULT]` | no attribute while it is the default |
| `Annotated[X, JSON]` | JSON text |
| `Annotated[X, IN_KEY]` | no attribute: the store writes it, mostly into the key, and gives it to `read` with the row |
| `Annotated[X, NOT_STORED]` | no attribute, ever: it is only in memory |
| `Annotated[X, As(encode, decode)]` | what `encode` makes of the value |
| `Annotated[X, Flat("old_")]`, of a dataclass | its fields are attributes of the row, as `old_<name>` |

A missing attribute is the default of its field, and unknown attributes are ignored: a row may be older or newer than
this code. So a new field needs a default. A module with such a dataclass has no `from __future__ import annotations`,
because annotations are read at run time.
"""

import dataclasses
import json
import types
import zlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache, partial
from operator import attrgetter
from typing import Annotated, Any, Final, Union, cast, get_args, get_origin, get_type_hints

OMIT_DEFAULT: Final = "no attribute while it is the default"
JSON: Final = "JSON text"
IN_KEY: Final = "in the key"
NOT_STORED: Final = "not stored"
_ZLIB_START: Final = b"x"


@dataclass(frozen=True, slots=True)
class Flat:
    """The fields of a dataclass are attributes of the row. `prefix`: the start of their names."""

    prefix: str = ""


type _Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class As:
    """Stored as what `encode` makes of the value; `decode` reads it."""

    encode: _Convert
    decode: _Convert


@dataclass(frozen=True, slots=True)
class _Field:
    """`needed`: the fields without default of a flat dataclass. `encode`, `decode`: None for a value that stays."""

    name: str
    kind: Any
    default: Any
    is_in_key: bool
    omits_default: bool
    flat: Flat | None
    needed: tuple[str, ...]
    encode: _Convert | None
    decode: _Convert | None


def write(record: object) -> dict[str, Any]:
    """Return the attributes of a dataclass, without its key."""
    values: dict[str, Any] = {}
    for field in _fields(cast("Hashable", type(record))):
        value = getattr(record, field.name)
        if value is None or field.is_in_key or (field.omits_default and value == field.default):
            continue
        if field.flat is not None:
            values |= {field.flat.prefix + name: part for name, part in write(value).items()}
        else:
            values[field.name] = value if field.encode is None else field.encode(value)
    return values


def read[T](kind: type[T], row: Mapping[str, Any], prefix: str = "") -> T:
    """Build a dataclass from the attributes of a row and the fields of its key. `prefix`: that of the attributes."""
    values: dict[str, Any] = {}
    for field in _fields(cast("Hashable", kind)):
        name = prefix + field.name
        if field.flat is not None:
            inner = prefix + field.flat.prefix
            if all(inner + needed in row for needed in field.needed):
                values[field.name] = read(field.kind, row, inner)
        elif name in row:
            values[field.name] = row[name] if field.decode is None else field.decode(row[name])
    return kind(**values)


def changes(before: object, after: object) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the attributes to set, and the names of those to remove, to make the row of `before` that of `after`."""
    old, new = write(before), write(after)
    return {name: value for name, value in new.items() if old.get(name) != value}, tuple(sorted(old.keys() - new))


def to_json(value: Any) -> str:
    """Return compact ASCII JSON for a text attribute. Raises ValueError for NaN and infinity."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def read_compressed(stored: bytes | str) -> bytes:
    """Return the JSON text of an attribute, which rows of some revisions have compressed. No JSON begins like zlib."""
    content = stored.encode() if isinstance(stored, str) else stored
    return zlib.decompress(content) if content[:1] == _ZLIB_START else content


@cache
def _fields(kind: Any) -> tuple[_Field, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(_field(field, hints[field.name]) for field in dataclasses.fields(kind))


def _field(field: dataclasses.Field[Any], hint: Any) -> _Field:
    base, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    kind = _without_none(base)
    flat = next((mark for mark in marks if isinstance(mark, Flat)), None)
    needed = tuple(part.name for part in _fields(kind) if part.default is dataclasses.MISSING) if flat else ()
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    encode, decode = _converter(kind, is_read=False), _converter(kind, is_read=True)
    if JSON in marks:
        encode, decode = partial(_to_json, encode), partial(_of_json, decode)
    if (converter := next((mark for mark in marks if isinstance(mark, As)), None)) is not None:
        encode, decode = converter.encode, converter.decode
    is_not_stored = IN_KEY in marks or NOT_STORED in marks
    if is_not_stored:
        encode = decode = None
    return _Field(field.name, kind, default, is_not_stored, OMIT_DEFAULT in marks, flat, needed, encode, decode)


def _converter(kind: Any, *, is_read: bool) -> _Convert | None:
    """Return the conversion of values of this type; None if they stay as they are."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind if is_read else attrgetter("value")
    if dataclasses.is_dataclass(kind):
        return partial(read, cast("Any", kind)) if is_read else write
    if get_origin(kind) is tuple:
        item = _converter(get_args(kind)[0], is_read=is_read)
        return tuple if item is None else lambda values: tuple(map(item, values))
    if get_origin(kind) in {Mapping, dict}:
        part = _converter(get_args(kind)[1], is_read=is_read)
        return None if part is None else lambda values: {name: part(value) for name, value in values.items()}
    return None


def _to_json(encode: _Convert | None, value: Any) -> str:
    return to_json(value if encode is None else encode(value))


def _of_json(decode: _Convert | None, text: str) -> Any:
    return json.loads(text) if decode is None else decode(json.loads(text))


def _without_none(kind: Any) -> Any:
    if get_origin(kind) not in {Union, types.UnionType}:
        return kind
    (one,) = (member for member in get_args(kind) if member is not types.NoneType)
    if get_origin(one) is Annotated:
        raise TypeError(f"write Annotated[X | None, …], not Annotated[X, …] | None: {kind}")
    return one
