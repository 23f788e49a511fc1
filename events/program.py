"""The program of a request to a runner: its language and profile, its code and limits."""

from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import asdict

from events import MessageInvalidError
from events.files import CompileArgs
from events.message import Message, PositiveCount, Shape, Time, Uuid
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
