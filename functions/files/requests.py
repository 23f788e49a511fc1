"""What a client sends of a file."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from functions.errors import BadRequestError
from functions.files.model import DEFAULT_MEDIA_TYPE, FILE_MAX_BYTES, read_sha256
from functions.http.validation import Text


def _sha256(text: str) -> str:
    digits = read_sha256(text)
    if digits is None:
        raise ValueError("the text must be a SHA-256: 64 hexadecimal digits in lower case")
    return digits


Sha256 = Annotated[Text, AfterValidator(_sha256), Field(json_schema_extra={"pattern": "^(sha256:)?[0-9a-f]{64}$"})]
MediaType = Annotated[
    Text,
    Field(max_length=127, pattern=r"^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*$"),
]


class FileRequest(BaseModel):
    """Body of POST /api/files."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    sha256: Sha256 = Field(description="Of the bytes, in hexadecimal.")
    size: int = Field(ge=0, le=FILE_MAX_BYTES, description="Bytes: at most 100 MiB.")
    media_type: MediaType = Field(default=DEFAULT_MEDIA_TYPE, description="Such as text/csv, without parameters.")


def file_hash(text: str) -> str:
    """Check the hash in a path. Raises BadRequestError."""
    digits = read_sha256(text)
    if digits is None:
        raise BadRequestError("A file is named by its SHA-256: 64 hexadecimal digits in lower case.")
    return digits
