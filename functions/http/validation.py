"""Check a JSON body against a model. The fields of a 422 name the problems in our own sentences, never the input."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, ValidationError

from functions.errors import MAX_PROBLEMS, BadRequestError, FieldProblem, InvalidFieldsError
from functions.http.problems import Problems
from functions.http.spelling import intended_name
from functions.http.stand_ins import with_stand_ins
from functions.http.strict_json import read_json

_SHOWN_NAME_CHARS = 64
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
    "extra_forbidden": "There is no such field.",
}
"""By pydantic's type of error. https://docs.pydantic.dev/latest/errors/validation_errors/"""
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
        found.add_refused(FieldProblem(_dotted(item["loc"]), _sentence(item)) for item in wrong)
        valid = with_stand_ins(model, body)
    if problems is None or valid is None:
        found.refuse()
    return cast("Model", valid)


def unknown_fields(model: type[BaseModel], body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the first fields that the model does not have, shortened."""
    names = (name for name in body if name not in model.model_fields)
    return tuple(_shown(name) for name, _ in zip(names, range(MAX_PROBLEMS), strict=False))


def _misspelt(model: type[BaseModel], body: Mapping[str, Any]) -> Iterable[FieldProblem]:
    known = tuple(model.model_fields)
    for name in unknown_fields(model, body):
        if (intended := intended_name(name, known)) is not None:
            yield FieldProblem(name, f"There is no such field. Did you mean {intended}?")


def _sentence(item: Mapping[str, Any]) -> str:
    values = {name: str(value) for name, value in item.get("ctx", {}).items()}
    for name in ("expected", "discriminator", "expected_tags"):
        values[name] = values.get(name, "").replace("'", "")  # pydantic quotes them
    values["unit"] = "characters" if values.get("field_type") == "Value" else "items"
    if values.get("min_length") == "1":
        return "Must not be empty."
    text = _SENTENCES.get(item["type"], _OTHER).format(**values)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _dotted(place: tuple[int | str, ...]) -> str:
    return ".".join(_shown(part) for part in place if part != "[key]")


def _shown(name: int | str) -> str:
    """Shorten a name of the client's body, which may be long or hold half a character."""
    return str(name).encode(errors="replace").decode()[:_SHOWN_NAME_CHARS]
