"""Bodies that all parts of the API share. Each is the schema of the OpenAPI document."""

from typing import Annotated, Any, NotRequired, TypedDict

from pydantic import Field, GetCoreSchemaHandler

Uuid = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class SchemaOf:
    """In `Annotated`: the value is stored as text or JSON, and the document has the schema of this type."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> Any:
        """Return the schema of the type. Only the document calls this."""
        return handler(self._kind)


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
