"""Messages between this package and a runner. The schemas and golden files in `events/` are their contract.

`Message.parse(text)` raises MessageInvalidError; `message.serialise()` gives the JSON text of a queue message.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from events.vocabulary import Integrity, Language
from functions.errors import MessageInvalidError
from functions.messages.artifacts import ArtifactList, SkippedList
from functions.messages.base import (
    Base64,
    EndOfExecution,
    ForExecution,
    FromExecution,
    Message,
    NodeId,
    Result,
    Time,
    is_none,
    problem_places,
)
from functions.messages.evidence import (
    CgroupBackend,
    Count,
    IsolationMode,
    Names,
    Shape,
    ShortText,
)
from functions.messages.files import Artifacts, CompileArgs, FileList, needs_files_version
from functions.messages.judged import JudgeCompleted, JudgeProgress
from functions.messages.judging import Arguments, JudgeRequested
from functions.messages.network import Network

_NETWORK_VERSION, _FILES_VERSION = 2, 3


class ExecutionRequested(ForExecution):
    """Request one execution of a run."""

    type: Literal["execution_requested"] = "execution_requested"
    stdin: Annotated[Base64, Field(alias="stdin_base64", repr=False)]
    environment: dict[str, str] | None = Field(default=None, repr=False, exclude_if=is_none)
    secret_names: tuple[str, ...] | None = Field(default=None, exclude_if=is_none)
    network: Network | None = Field(default=None, exclude_if=is_none)
    files: FileList | None = Field(default=None, exclude_if=is_none)
    compile_args: CompileArgs | None = Field(default=None, exclude_if=is_none)
    args: Arguments | None = Field(default=None, exclude_if=is_none)
    artifacts: Artifacts | None = Field(default=None, exclude_if=is_none)

    @classmethod
    def version_for(cls, fields: Mapping[str, Any]) -> int:
        """2 with network, 3 with files, arguments or artifacts: a runner that does not know one must refuse."""
        newer = fields.get("artifacts"), fields.get("args")
        if newer != (None, None) or needs_files_version(fields):
            return _FILES_VERSION
        return 1 if fields.get("network") is None else _NETWORK_VERSION


class ExecutionStarted(FromExecution):
    """A runner has started the submission."""

    type: Literal["execution_started"] = "execution_started"


class Stream(Shape):
    """One output stream: its bytes (`content`), or the key of the object that holds them."""

    size_bytes: Count
    content: Base64 | None = Field(default=None, alias="base64", repr=False, exclude_if=is_none)
    object_key: str | None = Field(default=None, exclude_if=is_none)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.content is None) == (self.object_key is None):
            raise ValueError("needs either base64 or object_key")
        return self


class ExecutionCompleted(EndOfExecution):
    """The outcome of one execution. Its object keys must be under its own submission and execution."""

    type: Literal["execution_completed"] = "execution_completed"
    result: Result
    stdout: Stream
    stderr: Stream
    integrity: Integrity
    compile_stderr: Base64 | None = Field(default=None, alias="compile_stderr_base64", repr=False, exclude_if=is_none)
    artifacts: ArtifactList | None = Field(default=None, exclude_if=is_none)
    artifacts_skipped: SkippedList | None = Field(default=None, exclude_if=is_none)

    @model_validator(mode="after")
    def _own_objects_only(self) -> Self:
        prefix = f"outputs/{self.submission_id}/{self.execution_id}/"
        for number, artifact in enumerate(self.artifacts or ()):
            if artifact.key != f"{prefix}artifact-{number}":
                raise ValueError("an object key is not this execution's")
        for name, stream in (("stdout", self.stdout), ("stderr", self.stderr)):
            if stream.object_key not in (None, prefix + name):
                raise ValueError("an object key is not this execution's")
        return self


def _known_languages(names: object) -> object:
    """Leave out the languages of a newer runner that this version does not know."""
    if not isinstance(names, list):
        return names
    known = (name for name in names if not isinstance(name, str) or name in Language)
    return tuple(Language(name) if isinstance(name, str) else name for name in known)


class RunnerHeartbeat(Message):
    """A runner is alive; its capacity, languages and controls. Or it is not: `problem` says why it cannot work.

    `network_support`: whether it takes runs with network; an older runner does not say. `packages`: versions of the
    packages that Python programs may import.
    """

    type: Literal["runner_heartbeat"] = "runner_heartbeat"
    node_id: NodeId
    runner_version: ShortText
    sent_at: Time
    slots: Annotated[int, Field(ge=0, le=100_000)]
    slots_busy: Annotated[int, Field(ge=0, le=100_000)]
    languages: Annotated[tuple[Language, ...], BeforeValidator(_known_languages), Field(max_length=64)]
    toolchains: Annotated[dict[ShortText, ShortText], Field(max_length=64)]
    isolation_mode: IsolationMode
    cgroup_backend: CgroupBackend | None
    namespace_support: bool
    controls: Names
    problem: Annotated[str, Field(min_length=1, max_length=2_000)] | None = Field(default=None, exclude_if=is_none)
    network_support: bool | None = Field(default=None, exclude_if=is_none)
    packages: Annotated[dict[ShortText, ShortText], Field(max_length=64)] | None = Field(
        default=None, exclude_if=is_none
    )


type Requested = ExecutionRequested | JudgeRequested
"""A message that asks a runner for one execution."""
type Completed = ExecutionCompleted | JudgeCompleted
"""The outcome of one execution."""
type CompletionsMessage = ExecutionStarted | Completed | JudgeProgress | RunnerHeartbeat

_COMPLETIONS: TypeAdapter[CompletionsMessage] = TypeAdapter(
    Annotated[CompletionsMessage, Field(discriminator="type")],
    config=ConfigDict(hide_input_in_errors=True),
)


def parse_completions_message(text: str | bytes) -> CompletionsMessage:
    """Parse a message of the completions queue. Raises MessageInvalidError."""
    try:
        return _COMPLETIONS.validate_json(text)
    except ValidationError as error:
        raise MessageInvalidError(problem_places(error)) from None
