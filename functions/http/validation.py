"""Check a JSON body against a model. The fields of a 422 name the problems, never the input."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ValidationError

from functions.errors import BadRequestError, FieldProblem, InvalidFieldsError
from functions.http.strict_json import read_json

_SHOWN_NAME_CHARS = 64
_MOST_PROBLEMS = 20


def whole_characters(text: str) -> str:
    """Refuse half a surrogate pair: JSON can express it, UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("the text holds half a surrogate pair") from None
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


def parse_body[Model: BaseModel](model: type[Model], raw: bytes) -> Model:
    """Parse and check a body without NaN or infinity. Raises BadRequestError, InvalidFieldsError."""
    body, constants = read_object(raw)
    if constants:
        raise BadRequestError("The body is not valid JSON: NaN and Infinity are no JSON numbers.")
    return checked(model, body)


def checked[Model: BaseModel](model: type[Model], body: Mapping[str, Any]) -> Model:
    """Return the model of a body. Raises InvalidFieldsError."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)[:_MOST_PROBLEMS]
        raise InvalidFieldsError(
            tuple(FieldProblem(_dotted(item["loc"]), f"{item['msg']}.") for item in found)
        ) from None


def _dotted(place: tuple[int | str, ...]) -> str:
    # A key of an object is the client's own text: it may be long, or hold half a character.
    parts = [str(part).encode(errors="replace").decode()[:_SHOWN_NAME_CHARS] for part in place]
    return ".".join(part for part in parts if part != "[key]")
