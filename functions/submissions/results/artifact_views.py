"""What a client sees of the files that a program left."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field

from functions.http.openapi.bodies import Time
from functions.messages.evidence import Count


class ArtifactBody(TypedDict):
    """A file that the program left. GET /api/result/{id}/artifacts/{path} has its content."""

    path: str
    size: Count
    sha256: str
    media_type: Annotated[str, Field(description="By the end of its name; nobody looks into it.")]


class ArtifactLink(ArtifactBody):
    """Where to get an artifact: send this request as it is, without an API key."""

    url: str
    method: Literal["GET"]
    expires_at: Time


class SkippedArtifactBody(TypedDict):
    """A file that was asked for and is not kept."""

    path: Annotated[str, Field(description="With escapes if it is no ordinary text. Empty: all others, see `time`.")]
    reason: Annotated[
        str,
        Field(
            description="not_a_regular_file, unreadable (for the program's user), name (no UTF-8, characters that "
            "cannot be printed, or over 255 bytes), too_deep (over 8 parts), file_too_large (25 MiB), total_too_large "
            "(100 MiB), too_many_files (100), time (reading took over 2 s)."
        ),
    ]


def artifact_body(file: Mapping[str, Any]) -> ArtifactBody:
    """Return an artifact of a row without the key of its object."""
    return {
        "path": file["path"],
        "size": file["size"],
        "sha256": file["sha256"],
        "media_type": file["media_type"],
    }


def artifact_link(file: Mapping[str, Any], url: str, expires_at: str) -> ArtifactLink:
    """Return where to get an artifact."""
    return {**artifact_body(file), "url": url, "method": "GET", "expires_at": expires_at}
