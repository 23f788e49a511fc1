"""Bodies that all parts of the API share."""

from typing import Annotated

from pydantic import BaseModel, Field

Uuid = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Problem(BaseModel):
    """One field that is missing or wrong."""

    field: str
    message: str


class Error(BaseModel):
    """Every answer that is not the one hoped for."""

    error: str = Field(description="A code to switch on.")
    message: str = Field(description="A sentence a person can act on.")


class InvalidError(Error):
    """Valid JSON with missing, mistyped or out-of-range fields."""

    fields: list[Problem]


class GatewayError(BaseModel):
    """The body of answers that the gateway gives before or instead of our code."""

    message: str
