"""Input and output of one sandboxed run: `JailSpec` and `Outcome`.

An outcome holds raw facts and no verdict: `sandbox_runtime.classify` derives the verdict.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from sandbox_runtime.jail.box import Box


class StopReason(StrEnum):
    """Why the supervisor killed a run. NONE: it ended by itself."""

    NONE = "none"
    CPU_LIMIT = "cpu_limit"
    WALL_LIMIT = "wall_limit"
    HOST_OVERLOADED = "host_overloaded"  # its overtime is over, and others had the CPUs: it may be too slow or not
    IDLE = "idle"
    OOM_KILL = "oom_kill"
    MEMORY_THRASH = "memory_thrash"
    CANCELLED = "cancelled"


class FilterFamily(StrEnum):
    """Which system calls a run may make, see `seccomp/policy.txt`."""

    NATIVE = "native"
    PYTHON = "python"
    JAVASCRIPT = "javascript"
    JAVA = "java"
    GO = "go"
    COMPILE = "compile"


DEFAULT_STACK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one step (compile or run). Units are in the names.

    `idle_secs`: a step without CPU use for so long is stopped; 0: no such limit.
    `stack_bytes`: of the first thread, and the default of others. They reserve that much address space, not memory.
    """

    cpu_time_secs: float
    wall_time_secs: float
    memory_bytes: int
    max_processes: int
    max_open_files: int
    max_file_bytes: int
    output_bytes: int
    idle_secs: float = 0
    stack_bytes: int = DEFAULT_STACK_BYTES

    @property
    def of_set_up(self) -> "Limits":
        """Those that a run is set up with. The supervisor alone enforces the others, from the start of the program."""
        return replace(self, wall_time_secs=0, output_bytes=0, idle_secs=0)

    @property
    def process_bound(self) -> int:
        """Most processes of a run, with init. At least two, or no program could start."""
        return max(2, self.max_processes)


@dataclass(frozen=True, slots=True)
class GuestFile:
    """A file that the jail writes into the guest's working directory. `name` has no slash."""

    name: str
    content: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a request places in the working directory. `path`: relative; its folders are made.

    Its bytes are `content`, else the file `sha256` of `JailSpec.inputs_folder`. Such a read-only file is not copied.
    The guest owns a file that is not read-only, and the folders.
    """

    path: str
    size: int
    read_only: bool = False
    content: bytes | None = field(default=None, repr=False)
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class WaitingCommand:
    """A command that is started in advance instead of a run's own one, and waits for its program.

    It must be trusted like a toolchain. Descriptor 3 is a message socket; 4 holds the run's files, one after the other.
    It sends one byte when it is ready. Then it gets one message of texts that each end with NUL: the count of words,
    the last `told_words` words of the run's `argv`, then name, size and 0 or 1 (executable) of each file.
    It must write the files and close both descriptors before it runs guest code. End of file means: exit.
    """

    argv: tuple[str, ...]
    told_words: int


class GuestPipes:
    """Owns the ends of two pipes that a run gets as its input and output, in place of a file and a recorded pipe."""

    def __init__(self, stdin_fd: int, stdout_fd: int) -> None:
        self.stdin_fd, self.stdout_fd = stdin_fd, stdout_fd
        self._is_closed = False

    def close(self) -> None:
        """Close both, once. The jail does so when the run has its copies."""
        if not self._is_closed:
            self._is_closed = True
            os.close(self.stdin_fd)
            os.close(self.stdout_fd)


class CapturedOutput(Protocol):
    """One output stream of a run, which grows until its end. `limit_bytes`: it has no more."""

    limit_bytes: int

    def part(self, start: int, most: int) -> bytes:
        """Return at most `most` bytes from an offset."""
        ...


class OutputWatch(Protocol):
    """Somebody may read the output of a run while it goes on. The slot's thread calls both, so they return at once."""

    def begin(self, captured: Sequence[CapturedOutput]) -> None:
        """Take stdout and stderr, to read them from any thread."""
        ...

    def notify(self) -> None:
        """Note that there is more output."""
        ...


@dataclass(frozen=True, slots=True)
class JailSpec:
    """One run: `argv[0]` is an absolute path inside the jail's root, the working directory is `/box`.

    `inputs`: files of the request, whose copies count as the guest's memory. `inputs_folder`: a folder of the host with
    the folders `files`, whose files have their SHA-256 as names, and `empty`; "" if all contents are here.
    `artifact`: name of a regular file in `/box` that the supervisor reads when the program exits with 0 (compile
    steps); at most `artifact_max_bytes`. `keeps_box`: `Outcome.box` shows the working directory.
    `environment`: that of all such runs; `variables`: more of it, for this run alone, with other names. A pre-warmed
    run gets them with its files.
    `family`: NATIVE, the widest one, fits every program. `waiting`: a command that may replace `argv`.
    `pipes`: in place of `stdin` and of the captured output; their maker bounds the bytes that pass.
    `overtime_secs`: how long the run may go on beyond its wall limit, for the time in which others had the CPUs.
    `output_watch`: is told of the captured output while the run goes on.
    `net_namespace`: descriptor of a net namespace for this run alone; its maker closes it. None: an empty one.
    """

    argv: tuple[str, ...]
    limits: Limits
    environment: tuple[tuple[str, str], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    stdin: bytes = b""
    files: tuple[GuestFile, ...] = ()
    inputs: tuple[InputFile, ...] = ()
    inputs_folder: str = ""
    artifact: str | None = None
    artifact_max_bytes: int = 0
    family: FilterFamily = FilterFamily.NATIVE
    waiting: WaitingCommand | None = None
    pipes: GuestPipes | None = None
    overtime_secs: float = 0
    net_namespace: int | None = None
    keeps_box: bool = False
    output_watch: OutputWatch | None = None

    @property
    def needs_box(self) -> bool:
        """Whether the supervisor reads files of the working directory after the run."""
        return self.keeps_box or self.artifact is not None


# On a calm host the estimate of the time lost to others is wrong by less than this share.
_LOST_SHARE = 20


def own_time(elapsed: int, lost: int) -> int:
    """Subtract from an elapsed time the time in which others had the CPUs. Below 1/20 it may be an error: 0."""
    return elapsed - lost if lost * _LOST_SHARE >= elapsed else elapsed


@dataclass(frozen=True, slots=True)
class CgroupUsage:
    """Counters of the run's groups, read after its end and counted from its start.

    `oom_kill_events`: processes that the kernel killed for memory. `oom_events`: the same if the run had reached its
    own limit, and 0 if a group around its own or the whole host was out of memory.
    """

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
    """Measurements of one run. A control counts as applied only if it was measured in this run.

    `cgroup_backend` and `cgroup` are None without groups. A backend without `cgroup`: the counters were not readable.
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
    `stdout_cut`/`stderr_cut`: the output exceeded its limit, and the supervisor closed the pipe.
    `cpu_wait_usec`: how long the run waited for a CPU; measured in runs of more than 150 ms.
    `memory_peak_bytes`: of the run's groups; without groups the largest sample.
    `box`: the working directory of a run with `keeps_box`, when all processes of the run are dead; the slot closes it
    with its next call.
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
    box: Box | None = field(default=None, repr=False)

    @property
    def own_wall_usec(self) -> int:
        """The wall time without the time in which others had the CPUs."""
        return own_time(self.wall_usec, self.cpu_wait_usec)
