"""Check a JSON body against a model. The fields of a 422 name the problems in our own sentences, never the input."""

import functools
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Annotated, Any, Final, cast, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import SchemaValidator, core_schema

from events.network import ENTRY_PATTERN, MAX_ALLOWED, allowed_host
from functions.clock import from_rfc3339, to_rfc3339
from functions.errors import (
    MAX_PROBLEMS,
    BadRequestError,
    FieldProblem,
    ForbiddenError,
    InvalidFieldsError,
    ServiceError,
)


class StrictModel(BaseModel):
    """A part of a body: an unknown field is refused, a value has its type already, and no message quotes it."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


# Strict JSON of RFC 8259: no duplicate keys, bounded depth, bounded number of values.
#
# One exception: NaN and Infinity become `Constant`, because the contract answers them inside `limits` with 422 and the
# name of the field. Callers must refuse all others; `read_json` returns their number.

MAX_VALUES = 20_000
"""Members of objects and elements of arrays in one body. Each costs time, and validation may find a problem in each.

The largest judge run has fewer: 200 cases with 64 arguments each."""
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)


class Constant(float):
    """NaN, Infinity or -Infinity, which are not JSON, or a number that is too large for a float, such as 1e999."""


def read_json(raw: bytes) -> tuple[Any, int]:
    """Return the value and the number of its Constants. Raises BadRequestError."""
    if _has_too_many_values(raw):
        raise BadRequestError(f"The JSON body has more than {MAX_VALUES:,} values.")
    constants = 0

    def constant(name: str) -> Constant:
        nonlocal constants
        constants += 1
        return Constant(name)

    def number(text: str) -> float:
        return found if math.isfinite(found := float(text)) else constant(text)

    try:
        value = json.loads(raw.decode(), parse_constant=constant, parse_float=number, object_pairs_hook=_unique)
    except RecursionError:
        raise BadRequestError("The JSON body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise BadRequestError(
            f"The body is not valid JSON: line {error.lineno}, column {error.colno} (character {error.pos + 1})."
        ) from None
    except UnicodeDecodeError as error:
        raise BadRequestError(f"The body is not valid UTF-8: byte {error.start + 1}.") from None
    except ValueError:
        raise BadRequestError("The JSON body has a number with too many digits.") from None
    return value, constants


def _has_too_many_values(raw: bytes) -> bool:
    """Count commas outside of strings, and stop early. The parser would hold all other threads up until its end."""
    if raw.count(b",") < MAX_VALUES:
        return False
    commas = end = 0
    for strings, string in enumerate(_STRING.finditer(raw)):
        commas += raw.count(b",", end, string.start())
        if commas >= MAX_VALUES or strings > 2 * MAX_VALUES:  # a name and a text between two commas
            return True
        end = string.end()
    return commas + raw.count(b",", end) >= MAX_VALUES


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse duplicate keys: two parsers could see two different requests."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequestError("The JSON body has a key twice in one object.")
    return found


# Suggest the name that a client meant.

_SIMILARITY = 0.8
"""difflib's ratio from which a name counts as misspelt: `stdinn`, `std_in` and `codes` do, `lang` does not."""
_MAX_NAME_CHARS = 64


def intended_name(name: str, known: Collection[str]) -> str | None:
    """Return the known name that `name` misspells; None if it is known itself, or like none of them."""
    if name in known or len(name) > _MAX_NAME_CHARS:
        return None
    # `wiat` and `wait` have a ratio of 0.75 only, and so have `mode` and `code`, which are different words.
    letters = sorted(name.lower())
    candidates = [each for each in known if sorted(each) == letters]
    candidates += get_close_matches(name.lower(), known, 1, _SIMILARITY)
    return candidates[0] if candidates else None


# Build a model although some of its fields are wrong, so that rules over several fields can check the others.
#
# pydantic tells the errors of a body, but not its valid part. A second, lenient validator of the same fields gives
# each wrong one its default, or an empty value.

_EMPTY: Final[dict[str, Any]] = {"str": "", "int": 0, "list": [], "dict": {}}
"""Of required fields. A part with another required field that is wrong gets a stand-in as a whole."""


def with_stand_ins[Model: BaseModel](model: type[Model], body: Mapping[str, Any]) -> Model | None:
    """Return the model of a body, with stand-ins for wrong fields. None: a required one has no stand-in."""
    try:
        built: Model = _lenient_validator(model).validate_python(body)
    except ValidationError:
        return None
    return built


@functools.cache
def _lenient_validator(model: type[BaseModel]) -> SchemaValidator:
    return SchemaValidator(_lenient(model.__pydantic_core_schema__))


def _lenient(schema: Any) -> Any:
    if isinstance(schema, list | tuple):
        return [_lenient(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: part if name in {"default", "metadata"} else _lenient(part) for name, part in schema.items()}
    if made.get("type") == "model":
        return _unchecked(made)
    if made.get("type") == "model-field":
        inner = made["schema"]
        if inner["type"] == "default":
            inner["on_error"] = "default"
        elif (kind := _kind(inner)) in _EMPTY:
            made["schema"] = core_schema.with_default_schema(inner, default=_EMPTY[kind], on_error="default")
    return made


def _unchecked(schema: dict[str, Any]) -> Any:
    """Return a schema that makes the model without its own validator, which pydantic would use for a model."""

    def build(parts: tuple[dict[str, Any], Any, set[str]]) -> BaseModel:
        model: type[BaseModel] = schema["cls"]
        return model.model_construct(parts[2], **parts[0])

    return core_schema.no_info_after_validator_function(build, schema["schema"], ref=schema.get("ref"))


def _kind(schema: dict[str, Any]) -> str:
    while "schema" in schema:
        schema = schema["schema"]
    return str(schema["type"])


# Collect the problems of one request, and refuse it with all of them.

_ERRORS: Final[dict[str, type[ServiceError]]] = {"bad_request": BadRequestError, "forbidden": ForbiddenError}


class Problems:
    """The problems of one request, in the order in which they were found; the first one decides the error."""

    def __init__(self) -> None:
        self._found: list[FieldProblem] = []
        self._refused: list[str] = []

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._found)

    def add_refused(self, problems: Iterable[FieldProblem]) -> None:
        """Add the problems that a model found, once for each field. From now on, these fields have stand-ins."""
        named = [problem.field for problem in self._found]
        new = [problem for problem in problems if not any(_overlap(problem.field, each) for each in named)]
        self._found += new
        self._refused += [problem.field for problem in new]

    def add(self, problems: Iterable[FieldProblem | None]) -> None:
        """Add problems, but none of a field that has a stand-in, or that depends on one. None is no problem."""
        for problem in problems:
            if len(self._found) >= MAX_PROBLEMS:
                break
            if problem is None or any(_contains(refused, problem.field) for refused in self._refused):
                continue
            if not any(map(self.is_refused, problem.of)):
                self._found.append(problem)

    def is_refused(self, field: str) -> bool:
        """Whether a model has refused the field, a part of it, or the whole that it is a part of."""
        return any(_overlap(refused, field) for refused in self._refused)

    def refuse(self) -> None:
        """Raise the error of the first problem, with all of them. Without any, do nothing."""
        if not self._found:
            return
        first = self._found[0]
        problems = tuple(self._found)
        if first.code in _ERRORS:
            raise _ERRORS[first.code](first.message, problems=problems)
        raise InvalidFieldsError(problems)


def _contains(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(f"{outer}.")


def _overlap(one: str, other: str) -> bool:
    return _contains(one, other) or _contains(other, one)


_SHOWN_NAME_CHARS = 64
_NAMES_ELSEWHERE = {"input": "stdin", "output": "expected", "expected_output": "expected"}
"""Of fields that other judges call so."""
_SENTENCES = {
    "missing": "This field is required.",
    "string_type": "Must be a string.",
    "bool_type": "Must be true or false.",
    "int_type": "Must be a whole number.",
    "int_from_float": "Must be a whole number.",
    "float_type": "Must be a number.",
    "finite_number": "Must be a finite number.",
    "dict_type": "Must be an object.",
    "model_type": "Must be an object.",
    "list_type": "Must be an array.",
    "tuple_type": "Must be an array.",
    "string_too_short": "Must have at least {min_length} characters.",
    "string_too_long": "Must have at most {max_length} characters.",
    "too_short": "Must have at least {min_length} {unit}.",
    "too_long": "Must have at most {max_length} {unit}.",
    "greater_than": "Must be above {gt}.",
    "greater_than_equal": "Must be at least {ge}.",
    "less_than": "Must be below {lt}.",
    "less_than_equal": "Must be at most {le}.",
    "enum": "Must be one of {expected}.",
    "literal_error": "Must be one of {expected}.",
    "value_error": "{error}",
    "string_pattern_mismatch": "Must match {pattern}",
    "union_tag_not_found": "The field {discriminator} is required.",
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}.",
}
"""By pydantic's type of error. https://docs.pydantic.dev/latest/errors/validation_errors/"""
PATTERNS_TAG = "[patterns]"
"""A member of a union, which is no part of a place."""
_OTHER = "This value is not valid."


def whole_characters(text: str) -> str:
    """Refuse half a surrogate pair: JSON can express it, UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("The text holds half a surrogate pair.") from None
    return text


Text = Annotated[str, AfterValidator(whole_characters)]


def read_object(raw: bytes) -> tuple[dict[str, Any], int]:
    """Parse a JSON object; return it and the number of NaN and infinite values in it.

    Raises BadRequestError, InvalidFieldsError.
    """
    body, constants = read_json(raw)
    if not isinstance(body, dict):
        raise InvalidFieldsError((FieldProblem("body", "The body must be a JSON object."),))
    return body, constants


def parse_body[Model: BaseModel](model: type[Model], raw: bytes, problems: Problems | None = None) -> Model:
    """Parse and check a body without NaN or infinity, as `checked` does. Raises BadRequestError, InvalidFieldsError."""
    body, constants = read_object(raw)
    if constants:
        raise BadRequestError("The body is not valid JSON: NaN and Infinity are no JSON numbers.")
    return checked(model, body, problems=problems)


def checked[Model: BaseModel](
    model: type[Model],
    body: Mapping[str, Any],
    refused: Mapping[str, str] = MappingProxyType({}),
    problems: Problems | None = None,
) -> Model:
    """Return the model of a body. A field that looks like a misspelt one is refused. Raises InvalidFieldsError.

    `refused`: sentences for fields of other services that stand for one of the model.
    `problems`: gets the wrong fields, which then have stand-ins, so that more checks can follow before it refuses.
    """
    found = Problems() if problems is None else problems
    found.add_refused(
        FieldProblem(name, f"There is no such field. {text}") for name, text in refused.items() if name in body
    )
    found.add_refused(_misspelt(model, body))
    valid: Model | None = None
    try:
        valid = model.model_validate(body)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]
        found.add_refused(FieldProblem(_dotted(item["loc"]), _sentence(item, model)) for item in wrong)
        valid = with_stand_ins(model, body)
    if problems is None or valid is None:
        found.refuse()
    return cast("Model", valid)


def unknown_fields(model: type[BaseModel], body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the first fields that the model does not have, shortened."""
    known = _names(model)
    names = (name for name in body if name not in known)
    return tuple(_shown(name) for name, _ in zip(names, range(MAX_PROBLEMS), strict=False))


def _names(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the names of a model's fields as a client writes them."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _misspelt(model: type[BaseModel], body: Mapping[str, Any]) -> Iterable[FieldProblem]:
    known = _names(model)
    for name in unknown_fields(model, body):
        if (intended := intended_name(name, known)) is not None:
            yield FieldProblem(name, f"There is no such field. Did you mean {intended}?")


def _known_at(kind: Any, place: tuple[int | str, ...]) -> Collection[str]:
    """Return the names that the model at a place below this type has; none if there is no model."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if not place:
            return _names(kind)
        field = next((field for name, field in kind.model_fields.items() if place[0] in {name, field.alias}), None)
        return () if field is None else _known_at(field.annotation, place[1:])
    inner = place[1:] if get_origin(kind) in {list, dict} else place
    return next((names for part in get_args(kind) if (names := _known_at(part, inner))), ())


def _sentence(item: Mapping[str, Any], model: type[BaseModel]) -> str:
    if item["type"] == "extra_forbidden":
        name, known = str(item["loc"][-1]), _known_at(model, item["loc"][:-1])
        intended = intended_name(name, known) or _NAMES_ELSEWHERE.get(name)
        return "There is no such field." + (f" Did you mean {intended}?" if intended in known else "")
    values = {name: str(value) for name, value in item.get("ctx", {}).items()}
    for name in ("expected", "discriminator", "expected_tags"):
        values[name] = values.get(name, "").replace("'", "")  # pydantic quotes them
    values["unit"] = "characters" if values.get("field_type") == "Value" else "items"
    if values.get("min_length") == "1":
        return "Must not be empty."
    text = _SENTENCES.get(item["type"], _OTHER).format(**values)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _dotted(place: tuple[int | str, ...]) -> str:
    return ".".join(_shown(part) for part in place if part not in {"[key]", PATTERNS_TAG})


def _shown(name: int | str) -> str:
    """Shorten a name of the client's body, which may be long or hold half a character."""
    return str(name).encode(errors="replace").decode()[:_SHOWN_NAME_CHARS]


# Checks of fields that several requests have.

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
