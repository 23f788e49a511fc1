"""What one sandboxed run is given, and the raw facts that come back.

`JailSpec` is the whole input of `jail.run`; `Outcome` the whole output. Neither holds a verdict:
facts become a verdict in `sandbox_runtime.classify`.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class StopReason(StrEnum):
    """Why the supervisor killed a run. NONE: it ended by itself."""

    NONE = "none"
    CPU_LIMIT = "cpu_limit"
    WALL_LIMIT = "wall_limit"
    IDLE = "idle"
    OOM_KILL = "oom_kill"
    MEMORY_THRASH = "memory_thrash"
    MEMORY_LIMIT = "memory_limit"  # only where no group holds the memory: the supervisor saw too much of it
    CANCELLED = "cancelled"


class FilterFamily(StrEnum):
    """Which system calls a run may make, see `seccomp/policy.txt`."""

    NATIVE = "native"
    PYTHON = "python"
    JAVASCRIPT = "javascript"
    JAVA = "java"
    GO = "go"
    COMPILE = "compile"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one step (compile or run). Units are in the names.

    `idle_secs`: a step that uses no CPU for so long is stopped; 0 for no such limit.
    """

    cpu_time_secs: float
    wall_time_secs: float
    memory_bytes: int
    max_processes: int
    max_open_files: int
    max_file_bytes: int
    output_bytes: int
    idle_secs: float = 0

    @property
    def process_bound(self) -> int:
        """Processes of a run, init among them: below two, no program could be started at all."""
        return max(2, self.max_processes)


@dataclass(frozen=True, slots=True)
class GuestFile:
    """A file placed in the guest's working directory before the guest runs. `name` has no slash."""

    name: str
    content: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True)
class WaitingCommand:
    """A command that is started ahead of time in the place of a run's own, gets ready, and waits to be told.

    It must be trusted like a toolchain. Its descriptor 3 is a message socket, and 4 holds the run's files, one behind
    the other. It sends one byte when it is ready, and gets one message: texts that end with a NUL each, the count of
    words, the last `told_words` words of the run's `argv`, then name, size and 0 or 1 (executable) of each file. It
    places the files and closes both descriptors before it runs any code of a guest's. End of file: it is not needed.
    """

    argv: tuple[str, ...]
    told_words: int


@dataclass(frozen=True, slots=True)
class JailSpec:
    """One run: `argv[0]` is an absolute path inside the jail's root, the working directory is `/box`.

    `artifact`: name of a regular file in `/box` to bring out when the program exits with 0 (compile steps);
    at most `artifact_max_bytes`. `environment` is the guest's whole environment.
    `family`: NATIVE, the widest, fits every program. `waiting`: what may be staged for this run in place of `argv`.
    """

    argv: tuple[str, ...]
    limits: Limits
    environment: tuple[tuple[str, str], ...] = ()
    stdin: bytes = b""
    files: tuple[GuestFile, ...] = ()
    artifact: str | None = None
    artifact_max_bytes: int = 0
    family: FilterFamily = FilterFamily.NATIVE
    waiting: WaitingCommand | None = None


@dataclass(frozen=True, slots=True)
class CgroupUsage:
    """Counters of the run's groups, read after it ended and counted from its start."""

    memory_limit_bytes: int
    memory_peak_bytes: int
    oom_events: int
    oom_kill_events: int
    cpu_usage_usec: int
    process_count: int
    process_limit: int
    fork_refusals: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured in this run. A control is applied only if it was seen to be in force.

    `cgroup_backend` is None where no groups could be made, and so is `cgroup`. A backend without `cgroup`: its
    counters could not be read.
    """

    controls_applied: tuple[str, ...]
    controls_missing: tuple[str, ...]
    cgroup_backend: str | None
    cgroup: CgroupUsage | None
    cleanup_verified: bool
    leftover_processes: int
    collection_errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Raw facts of one run.

    `exit_code` and `signal` come from the program's raw wait status (one of them is None); both are None
    when the supervisor killed the run before the program ended by itself.
    `stdout_cut`/`stderr_cut`: the output limit was reached and the pipe closed.
    `cpu_wait_usec`: how long it wanted a CPU and others had them; looked at in runs of more than 150 ms.
    `memory_peak_bytes`: of the run's groups; the most that was seen, where there are none.
    """

    exit_code: int | None
    signal: int | None
    stop_reason: StopReason
    stdout: bytes
    stderr: bytes
    stdout_cut: bool
    stderr_cut: bool
    cpu_usec: int
    wall_usec: int
    setup_usec: int
    evidence: Evidence
    memory_peak_bytes: int = 0
    cpu_wait_usec: int = 0
    artifact: bytes | None = field(default=None, repr=False)
