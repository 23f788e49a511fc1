"""Files that a program left, in `execution_completed`. A runner may be broken into, so each has bounds here too."""

from typing import Annotated

from pydantic import Field

from functions.messages.evidence import Shape
from functions.messages.files import Path

MAX_ARTIFACTS = 100
MAX_SKIPPED_ARTIFACTS = 20
MAX_ARTIFACT_BYTES = 26_214_400
MAX_ARTIFACT_PATH_BYTES = 255


class SkippedArtifact(Shape):
    """A file that was asked for and is not stored."""

    path: Annotated[
        str,
        Field(
            max_length=MAX_ARTIFACT_PATH_BYTES,
            description="With escapes if it is no ordinary text. Empty: the rest, after the time was over.",
        ),
    ]
    reason: Annotated[
        str,
        Field(
            pattern=r"^[a-z_]{1,40}$",
            description="not_a_regular_file, unreadable (its mode forbids it to the program's user), name (no UTF-8, "
            "characters that are not printable, or over 255 bytes), too_deep (over 8 parts), file_too_large (25 MiB), "
            "total_too_large (100 MiB), too_many_files (100) or time (2 s).",
        ),
    ]


class Artifact(Shape):
    """A file that the program left. Its content: GET /api/result/{id}/artifacts/{path}."""

    path: Path
    size: Annotated[int, Field(ge=0, le=MAX_ARTIFACT_BYTES)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    media_type: Annotated[
        str,
        Field(pattern=r"^[a-z]+/[a-z0-9.+-]{1,100}$", description="By the end of its name; nobody looks into it."),
    ]


class StoredArtifact(Artifact):
    """An artifact, and the object of the bucket with its content."""

    key: str


ArtifactList = Annotated[tuple[StoredArtifact, ...], Field(max_length=MAX_ARTIFACTS)]
SkippedList = Annotated[tuple[SkippedArtifact, ...], Field(max_length=MAX_SKIPPED_ARTIFACTS)]
