"""Bodies that all parts of the API share. Each is the schema of the OpenAPI document."""

from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, NotRequired, TypedDict, Union, get_args, get_origin, get_type_hints

import msgspec
from pydantic import Field, GetCoreSchemaHandler, create_model

Uuid = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
Measure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class SchemaOf:
    """In `Annotated`: the value is stored as text or JSON, and the document has the schema of this type."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> Any:
        """Return the schema of the type. Only the document calls this."""
        return handler(_model_of(self._kind))


def _model_of(kind: Any) -> Any:
    """Return a type with structs of messages as models, and their rules as pydantic's."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _model_of_struct(kind)
    parts = tuple(map(_rule_of, get_args(kind)))
    if not parts or get_origin(kind) is Literal:
        return kind
    if get_origin(kind) in {Union, UnionType}:
        return Union[parts]  # noqa: UP007 - built from a tuple at run time
    return get_origin(kind)[parts] if get_origin(kind) is not Annotated else Annotated[parts]


def _rule_of(part: Any) -> Any:
    if not isinstance(part, msgspec.Meta):
        return _model_of(part)
    names = ("ge", "gt", "le", "lt", "min_length", "max_length", "description")
    rules = {name: value for name in names if (value := getattr(part, name)) is not None}
    return Field(**rules, pattern=None if part.pattern is None else part.pattern.replace(r"(?!\n)", ""))


@cache
def _model_of_struct(kind: type[msgspec.Struct]) -> Any:
    hints = get_type_hints(kind, include_extras=True)
    defaults = {field.name: ... if field.required else field.default for field in msgspec.structs.fields(kind)}
    fields: dict[str, Any] = {name: (_model_of(hints[name]), default) for name, default in defaults.items()}
    return create_model(kind.__name__, __doc__=kind.__doc__, **fields)


class Problem(TypedDict):
    """One field that is missing or wrong."""

    field: str
    message: str


class Error(TypedDict):
    """Every answer that is not the one hoped for."""

    error: Annotated[str, Field(description="A code to switch on.")]
    message: Annotated[str, Field(description="A sentence a person can act on.")]


class InvalidError(Error):
    """Valid JSON with missing, mistyped or out-of-range fields."""

    fields: list[Problem]


class RefusedError(Error):
    """A wrong request, or one that the project may not send."""

    fields: NotRequired[
        Annotated[list[Problem], Field(description="All wrong fields of the body; the first is that of `message`.")]
    ]


class GatewayError(TypedDict):
    """The body of answers that the gateway gives before or instead of our code."""

    message: str
