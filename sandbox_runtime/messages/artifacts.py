"""Files that a program left, in `execution_completed`: their content is in the bucket."""

import re
from dataclasses import dataclass
from typing import Annotated

from sandbox_runtime.messages.codec import Check
from sandbox_runtime.messages.rules import length, matching

MAX_ARTIFACTS = 100
MAX_SKIPPED_ARTIFACTS = 20
MAX_ARTIFACT_BYTES = 26_214_400
MAX_ARTIFACT_PATH_BYTES = 255
_KEY = re.compile(r"outputs/[0-9a-f-]{36}/[0-9a-f-]{36}/artifact-[0-9]{1,3}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,100}")
_REASON = re.compile(r"[a-z_]{1,40}")


def _is_path(path: str) -> bool:
    try:
        return 0 < len(path.encode()) <= MAX_ARTIFACT_PATH_BYTES
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """One file, which is an object of the bucket. `sha256`: hexadecimal. `media_type`: by its name only."""

    path: Annotated[str, Check(_is_path, f"at most {MAX_ARTIFACT_PATH_BYTES} bytes")]
    size: Annotated[int, Check(lambda size: 0 <= size <= MAX_ARTIFACT_BYTES, f"0 to {MAX_ARTIFACT_BYTES}")]
    sha256: Annotated[str, matching(_SHA256, "64 hexadecimal digits")]
    media_type: Annotated[str, matching(_MEDIA_TYPE, "a media type")]
    key: Annotated[str, matching(_KEY, "outputs/<submission>/<execution>/artifact-<number>")]


@dataclass(frozen=True, slots=True)
class SkippedArtifact:
    """A file that was asked for and is not stored. `path`: with escapes if it is no ordinary text."""

    path: Annotated[str, length(0, MAX_ARTIFACT_PATH_BYTES)]
    reason: Annotated[str, matching(_REASON, "a reason")]


ArtifactList = Annotated[tuple[StoredArtifact, ...], length(0, MAX_ARTIFACTS)]
SkippedList = Annotated[tuple[SkippedArtifact, ...], length(0, MAX_SKIPPED_ARTIFACTS)]
