"""`execution_requested`: `submit` or `sweep` requests one execution."""

from dataclasses import dataclass, field
from typing import Annotated

from events.vocabulary import Profile
from sandbox_runtime.messages.codec import key
from sandbox_runtime.messages.files import Artifacts, CompileArgs, FileList
from sandbox_runtime.messages.network import Network
from sandbox_runtime.messages.rules import (
    Arguments,
    LanguageName,
    Positive,
    PositiveCount,
    Timestamp,
    Uuid,
    Variables,
    length,
    one_of,
)

MAX_CODE_BYTES = 65_536
MAX_STDIN_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class LimitOverrides:
    """Limits of the submission; None: the profile's default."""

    cpu_time_secs: Positive | None = None
    wall_time_secs: Positive | None = None
    memory_mb: PositiveCount | None = None
    max_processes: PositiveCount | None = None
    output_kb: PositiveCount | None = None
    file_size_mb: PositiveCount | None = None
    open_files: PositiveCount | None = None
    stack_mb: PositiveCount | None = None


@dataclass(frozen=True, slots=True)
class ExecutionRequested:
    """One execution to run.

    `environment`: more variables for the program. `secret_names`: those whose values are masked in its output.
    `network`: the hosts that it may reach; None: it has no network. `files` lie in its working directory.
    `compile_args`: more options of the compiler. `args`: arguments of the program. `artifacts`: the files of the
    program that are kept.
    """

    submission_id: Uuid
    execution_id: Uuid
    project_id: Annotated[str, length(1, 64)]
    language: LanguageName
    profile: Annotated[str, one_of(*Profile)]
    priority: Annotated[str, one_of("interactive", "batch", "network")]
    limits: LimitOverrides
    requested_at: Timestamp
    code: Annotated[bytes, length(0, MAX_CODE_BYTES)] = key("code_base64", shown=False)
    stdin: Annotated[bytes, length(0, MAX_STDIN_BYTES)] = key("stdin_base64", shown=False)
    environment: Variables | None = field(default=None, repr=False)
    secret_names: tuple[str, ...] | None = None
    network: Network | None = None
    files: FileList | None = None
    compile_args: CompileArgs | None = None
    args: Arguments | None = None
    artifacts: Artifacts | None = None
