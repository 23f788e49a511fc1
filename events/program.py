"""A program to run: one value for the body of a request, the row of a submission and the message to a runner."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.structs import asdict

from events import MessageInvalidError
from events.files import CompileArgs, PlacedFile
from events.message import Message, PositiveCount, Shape, Time, Uuid, to_shape
from events.network import Network, NetworkSecret
from events.variables import Environment
from events.vocabulary import Language, Profile

MAX_CODE_BYTES = 65_536
Positive = Annotated[float, Meta(gt=0)]
Code = Annotated[bytes, Meta(max_length=MAX_CODE_BYTES)]
Arguments = Annotated[tuple[Annotated[str, Meta(max_length=1024)], ...], Meta(max_length=64)]


class RequestedLimits(Shape, frozen=True):
    """Limits that the client set. The runner has its defaults for the others."""

    cpu_time_secs: Positive | None = None
    wall_time_secs: Positive | None = None
    memory_mb: PositiveCount | None = None
    max_processes: PositiveCount | None = None
    output_kb: PositiveCount | None = None
    file_size_mb: PositiveCount | None = None
    open_files: PositiveCount | None = None
    stack_mb: PositiveCount | None = None

    def as_dict(self) -> dict[str, float | None]:
        """Return all limits by name; None: not set."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program with its input.

    `code` and `stdin`: None where a row has them elsewhere. `limits`: those that its client set, by name.
    `network`: the entries `name:port` that it may reach, each once, in order. `secrets`: names of the project's secrets
    for its requests; `sealed_secrets`: these as they were when it was accepted. `artifact_patterns`: which of its files
    are kept, or CHANGED; None: none. `environment`: variables of the program.
    """

    language: str
    profile: str
    code: bytes | None = field(default=None, repr=False)
    stdin: bytes | None = field(default=None, repr=False)
    args: tuple[str, ...] = ()
    compile_args: tuple[str, ...] = ()
    limits: Mapping[str, int | float] = field(default_factory=dict)
    files: tuple[PlacedFile, ...] = field(default=(), repr=False)
    network: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    sealed_secrets: tuple[NetworkSecret, ...] = field(default=(), repr=False)
    artifact_patterns: tuple[str, ...] | str | None = None
    environment: Environment | None = None

    @property
    def needs_network(self) -> bool:
        return bool(self.network or self.secrets)

    @property
    def message_fields(self) -> dict[str, Any]:
        """The values of a message that requests its execution, by attribute. None: the message has no such field."""
        variables = self.environment
        return {
            "language": self.language,
            "profile": self.profile,
            "code": self.code or b"",
            "stdin": self.stdin or b"",
            "args": self.args or None,
            "compile_args": self.compile_args or None,
            "limits": to_shape(dict(self.limits), RequestedLimits),
            "files": self.files or None,
            "network": Network.of(self.network) if self.network else None,
            "secrets": self.sealed_secrets or None,
            "artifacts": self.artifact_patterns,
            "environment": None if variables is None else variables.variables,
            "secret_names": None if variables is None else variables.secret_names or None,
        }


class ForExecution(Message, frozen=True, kw_only=True, rename={"code": "code_base64"}):
    """A message that requests one execution of a submission. The sweeper sends it again with a new execution id.

    `compile_args`: more options of the compiler.
    """

    TIMES = ("requested_at",)

    submission_id: Uuid
    execution_id: Uuid
    project_id: Annotated[str, Meta(min_length=1, max_length=64)]
    language: Language
    profile: Profile
    priority: Literal["interactive", "batch", "network"]
    limits: RequestedLimits
    requested_at: Time
    code: Code
    compile_args: CompileArgs | None = None


FILES_VERSION_FIELDS = frozenset({"files", "compile_args", "file_size_mb", "open_files"})
"""Fields that a runner from before files must refuse."""


def check_arguments(field: str, arguments: tuple[str, ...]) -> None:
    """Refuse NUL: arguments of a process end there. Raises MessageInvalidError."""
    if any("\0" in argument for argument in arguments):
        raise MessageInvalidError(field, "must have no NUL")
