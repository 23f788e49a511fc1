"""Build a model although some of its fields are wrong, so that rules over several fields can check the others.

pydantic tells the errors of a body, but not its valid part. A second, lenient validator of the same fields gives each
wrong one its default, or an empty value.
"""

import functools
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator, core_schema

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
