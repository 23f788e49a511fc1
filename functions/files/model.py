"""A file of a project, and what a client sends of it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from functions.aws.dynamodb.row_codec import IN_KEY
from functions.errors import BadRequestError
from functions.http.validation import Text

MIB = 1_048_576
FILE_MAX_BYTES = 100 * MIB
FILES_MAX = 10_000
"""Files of one project."""
KEPT_MS = 24 * 3_600_000
"""A file stays for so long after its last use."""
USE_NOTED_MS = 3_600_000
"""The uses of a file are noted once in this time: most of them only read its row."""
RUN_MAX_MS = 17 * 3_600_000
"""A run needs its files for so long at most: six hours of waiting, and twice five hours of a judge run."""
UPLOAD_SECS = 900
"""An upload must begin within this time."""
UPLOADING_MS = 2 * 3_600_000
"""The row of a file without bytes stays for so long."""
DOWNLOAD_SECS = 300
DEFAULT_MEDIA_TYPE = "application/octet-stream"

_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ArtifactObject:
    """An artifact of a run: where its bytes are, and what the runner says of them."""

    sha256: str
    size: int
    media_type: str
    object_key: str


class FileState(StrEnum):
    """`uploading`: the service has not found its bytes in the bucket yet."""

    UPLOADING = "uploading"
    STORED = "stored"


@dataclass(frozen=True, slots=True)
class File:
    """One file of one project. `object_key` is random: the same bytes in two projects are two objects.

    `due_at_ms`: the sweeper deletes the file then. `used_at_ms`: when a run used it, to USE_NOTED_MS; None: none did.
    """

    project_id: Annotated[str, IN_KEY]
    sha256: Annotated[str, IN_KEY]
    size: int
    media_type: str
    object_key: str
    created_at: str
    due_at_ms: int
    state: FileState = FileState.UPLOADING
    used_at_ms: int | None = None

    def removable_at_ms(self, now_ms: int) -> int:
        """Return when no accepted run needs its bytes any more, and no upload is under way."""
        if self.state is FileState.UPLOADING:
            return max(now_ms, self.due_at_ms)
        return now_ms if self.used_at_ms is None else max(now_ms, self.used_at_ms + USE_NOTED_MS + RUN_MAX_MS)


def read_sha256(text: str) -> str | None:
    """Return the hash of an id, with or without `sha256:`; None for any other text."""
    found = _ID.fullmatch(text)
    return found.group(1) if found else None


def _sha256(text: str) -> str:
    digits = read_sha256(text)
    if digits is None:
        raise ValueError("the text must be a SHA-256: 64 hexadecimal digits in lower case")
    return digits


Sha256 = Annotated[Text, AfterValidator(_sha256), Field(json_schema_extra={"pattern": "^(sha256:)?[0-9a-f]{64}$"})]
MEDIA_TYPE_PATTERN = r"^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*$"
MEDIA_TYPE_MAX_CHARS = 127
MediaType = Annotated[Text, Field(max_length=MEDIA_TYPE_MAX_CHARS, pattern=MEDIA_TYPE_PATTERN)]


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
