"""`execution_completed`: the classified result of one execution, its output, its numbers and the files that it left.

A runner may be broken into, so each part has bounds, and its object keys must be its own.
"""

from typing import Annotated, Any, Self

from msgspec import Meta

from events import MessageInvalidError
from events.evidence import Evidence, Metrics
from events.files import path_problem
from events.message import (
    CorrelationId,
    Count,
    Message,
    NodeId,
    Sha256,
    Shape,
    ShortText,
    Time,
    Uuid,
    as_fields,
    exactly,
)
from events.vocabulary import Actor, Cause, Integrity, Language, Phase, Verdict

MAX_ARTIFACTS = 100
MAX_SKIPPED_ARTIFACTS = 20
MAX_ARTIFACT_BYTES = 26_214_400
MAX_ARTIFACT_PATH_BYTES = 255
LAST_SIGNAL = 64
ObjectKey = Annotated[str, exactly("outputs/[0-9a-f-]{36}/[0-9a-f-]{36}/[a-z0-9-]{1,40}")]


class FromExecution(Message, frozen=True, kw_only=True):
    """A message of a runner about one execution.

    `correlation_id`: that of the submission's request; a runner of an older revision sends none.
    """

    submission_id: Uuid
    execution_id: Uuid
    node_id: NodeId
    started_at: Time
    correlation_id: CorrelationId | None = None

    @property
    def own_prefix(self) -> str:
        """Where its objects are in the bucket."""
        return f"outputs/{self.submission_id}/{self.execution_id}/"

    def check_own(self, field: str, key: str | None, name: str) -> None:
        """Refuse the key of an object of another execution. Raises MessageInvalidError."""
        if key not in (None, self.own_prefix + name):
            raise MessageInvalidError(field, "must be a key of this execution's own object")


class EndOfExecution(FromExecution, frozen=True, kw_only=True):
    """The outcome of one execution. `metrics` and `evidence` are None when nothing was measured."""

    TIMES = ("started_at", "completed_at")

    language: Language
    completed_at: Time
    metrics: Metrics | None
    evidence: Evidence | None

    def common_values(self) -> dict[str, Any]:
        """Return the values of the final state that runs and judge runs have in common."""
        return {
            "completed_at": self.completed_at,
            "started_at": self.started_at,
            "node_id": self.node_id,
            "execution_id": self.execution_id,
            "metrics": as_fields(self.metrics) if self.metrics is not None else None,
            "evidence": as_fields(self.evidence) if self.evidence is not None else None,
        }


class Result(Shape, frozen=True):
    """The verdict and its reasons."""

    verdict: Verdict
    cause: Cause
    actor: Actor
    phase: Phase
    exit_code: Annotated[int, Meta(ge=-(2**31), lt=2**32)] | None
    signal: Annotated[int, Meta(ge=1, le=LAST_SIGNAL)] | None
    error_message: ShortText | None


class SkippedArtifact(Shape, frozen=True):
    """A file that was asked for and is not stored."""

    path: Annotated[
        str,
        Meta(
            max_length=MAX_ARTIFACT_PATH_BYTES,
            description="With escapes if it is no ordinary text. Empty: the rest, after the time was over.",
        ),
    ]
    reason: Annotated[
        str,
        exactly("[a-z_]{1,40}"),
        Meta(
            description="not_a_regular_file, unreadable (its mode forbids it to the program's user), name (no UTF-8, "
            "characters that are not printable, or over 255 bytes), too_deep (over 8 parts), file_too_large (25 MiB), "
            "total_too_large (100 MiB), too_many_files (100) or time (2 s).",
        ),
    ]


class Artifact(Shape, frozen=True):
    """A file that the program left. Its content: GET /api/result/{id}/artifacts/{path}."""

    path: str
    size: Annotated[int, Meta(ge=0, le=MAX_ARTIFACT_BYTES)]
    sha256: Sha256
    media_type: Annotated[
        str,
        exactly("[a-z]+/[a-z0-9.+-]{1,100}"),
        Meta(description="By the end of its name; nobody looks into it."),
    ]

    def __post_init__(self) -> None:
        if path_problem(self.path) is not None:
            raise MessageInvalidError("path", "must be a relative path")


class StoredArtifact(Artifact, frozen=True):
    """An artifact, and the object of the bucket with its content."""

    key: ObjectKey


ArtifactList = Annotated[tuple[StoredArtifact, ...], Meta(max_length=MAX_ARTIFACTS)]
SkippedList = Annotated[tuple[SkippedArtifact, ...], Meta(max_length=MAX_SKIPPED_ARTIFACTS)]


class Stream(Shape, frozen=True, rename={"content": "base64"}):
    """One output stream: its bytes (`content`), or the key of the object that holds them."""

    ONE_OF = ("content", "object_key")

    size_bytes: Count
    content: bytes | None = None
    object_key: ObjectKey | None = None

    def __post_init__(self) -> None:
        self.check_one_of()
        if self.content is not None and self.size_bytes != len(self.content):
            raise MessageInvalidError("size_bytes", "must be the length of the content")

    @property
    def inline(self) -> bytes:
        """Its bytes; none if they are an object."""
        return self.content or b""

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Wrap a whole stream."""
        return cls(size_bytes=len(content), content=content)


class ExecutionCompleted(
    EndOfExecution,
    frozen=True,
    kw_only=True,
    tag="execution_completed",
    rename={"compile_stderr": "compile_stderr_base64"},
):
    """The outcome of one execution. Its object keys must be under its own submission and execution.

    `compile_stderr`: the compiler's messages about a program that compiled; None without any.
    `artifacts`: the stored files of the program; None if the request asked for none. `artifacts_skipped`: others that
    it asked for.
    """

    result: Result
    stdout: Stream
    stderr: Stream
    integrity: Integrity
    compile_stderr: bytes | None = None
    artifacts: ArtifactList | None = None
    artifacts_skipped: SkippedList | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for number, artifact in enumerate(self.artifacts or ()):
            self.check_own(f"artifacts[{number}].key", artifact.key, f"artifact-{number}")
        self.check_own("stdout.object_key", self.stdout.object_key, "stdout")
        self.check_own("stderr.object_key", self.stderr.object_key, "stderr")
