"""The definition of one language: its tools, its steps and its limits, by default and as far as a request may ask.

The numbers are those of docs/contract.md, section 7. MB and KB are 1024-based.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from events import vocabulary
from events.limits import (
    CPU_CEILING_SECS,
    FILE_SIZE_CEILING_MB,
    HIGHEST_CEILINGS,
    LEAST_OPEN_FILES,
    MEMORY_CEILING_MB,
    OPEN_FILES_CEILING,
    STACK_CEILING_MB,
    WALL_CEILING_SECS,
)
from sandbox_runtime.jail.spec import FilterFamily, GuestFile, Limits, WaitingCommand

# Limits that a request asks for, checked against the ceilings of its profile.

KIB = 1024
MIB = 1024 * KIB
STACK_SHARE = Fraction(15, 16)
"""A little less than the memory limit: an endless recursion ends as a stack overflow, and not as MLE."""
_OTHER_NAMES = {
    "memory_mb": ("memory_bytes", MIB),
    "output_kb": ("output_bytes", KIB),
    "file_size_mb": ("max_file_bytes", MIB),
    "open_files": ("max_open_files", 1),
    "stack_mb": ("stack_bytes", MIB),
}
"""Name and unit in `Limits` of the limits that a request names otherwise."""


class RequestRefusedError(Exception):
    """A request asks for something that is not offered. The text is for the client."""


class LimitRefusedError(RequestRefusedError):
    """A requested limit is too low or is above the profile's ceiling."""

    def __init__(self, limit: str, ceiling: float) -> None:
        self.limit = limit
        self.ceiling = ceiling
        lower = f"at least {LEAST_OPEN_FILES}" if limit == "open_files" else "above 0"
        super().__init__(f"limit {limit} must be {lower} and at most {ceiling}")


@dataclass(frozen=True, slots=True)
class Profile:
    """Default limits of the run step and the highest that a request may ask for.

    `stack_share`: the default size of the stack, as a share of the memory limit.
    """

    limits: Limits
    ceiling: Limits
    stack_share: Fraction


def choose_limits(profile: Profile, asked: Mapping[str, float | None]) -> Limits:
    """Replace the profile's default limits by those that a request asks for. Raises LimitRefusedError."""
    chosen: dict[str, Any] = {}
    for name, value in asked.items():
        if value is not None:
            field, unit = _OTHER_NAMES.get(name, (name, 1))
            ceiling = getattr(profile.ceiling, field) // unit
            is_enough = value >= LEAST_OPEN_FILES if name == "open_files" else value > 0
            if not (is_enough and value <= ceiling):  # NaN fails all comparisons
                raise LimitRefusedError(name, ceiling)
            chosen[field] = value * unit
    limits = replace(profile.limits, **chosen)
    stack_bytes = chosen.get("stack_bytes", int(limits.memory_bytes * profile.stack_share))
    return replace(limits, stack_bytes=min(stack_bytes, limits.memory_bytes))


__all__ = [
    "KIB",
    "MIB",
    "Compile",
    "Language",
    "LimitRefusedError",
    "Prepared",
    "Profile",
    "RequestRefusedError",
    "SourceNames",
    "Tool",
]

# The guest's whole environment, apart from variables of its language.
GUEST_ENVIRONMENT = (("PATH", "/usr/bin:/bin"), ("HOME", "/box"), ("LANG", "C.UTF-8"))


@dataclass(frozen=True, slots=True)
class Tool:
    """An executable that a language needs, by its path in the jail.

    `bundled_path`: its path in the toolchains directory, which is bound to `guest_path`;
    None: the host has it at the same path.
    """

    guest_path: str
    bundled_path: str | None = None

    def host_path(self, toolchains_dir: str) -> str:
        return self.guest_path if self.bundled_path is None else str(Path(toolchains_dir) / self.bundled_path)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A directory that the host fills once for a version of the toolchain; guests see it read-only at `guest_path`.

    `make(directory)` fills an empty directory from files of the toolchain only; it raises PreparationError.
    It is called again when a file of `made_from` has another size or time, or when `recipe` changes.
    """

    guest_path: str
    make: Callable[[Path], None]
    made_from: tuple[str, ...]
    recipe: str


@dataclass(frozen=True, slots=True)
class SourceNames:
    """Names of a source: its file, and its main class in languages that have one.

    `beside`: files for the compile step that depend on the source. They replace arguments of its command, because a
    pre-warmed process gets its arguments before its source.
    """

    file: str
    entry_class: str = ""
    beside: tuple[GuestFile, ...] = ()

    def fill(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Replace `{file}` and `{class}` in the parts of a command."""
        names = {"{file}": self.file, "{class}": self.entry_class}
        return tuple(_filled(part, names) for part in argv)


def _filled(part: str, names: Mapping[str, str]) -> str:
    for mark, name in names.items():
        part = part.replace(mark, name)
    return part


@dataclass(frozen=True, slots=True)
class Compile:
    """The compile step. It runs before the program in a jail of its own, and its result is one file, `artifact`.

    `waiting`: a command that does the same and can be started before there is a source.
    `with_options(sources, options)`: the command with other sources and options of the compiler. `source_suffixes`: of
    the files that are such sources; without `has_folders` only those beside the source. `own_names`: of other files
    that the command makes.
    """

    argv: tuple[str, ...]
    limits: Limits
    artifact: str
    artifact_max_bytes: int = 64 * MIB
    family: FilterFamily = FilterFamily.COMPILE
    waiting: WaitingCommand | None = None
    with_options: Callable[[tuple[str, ...], tuple[str, ...]], tuple[str, ...]] | None = None
    source_suffixes: tuple[str, ...] = ()
    has_folders: bool = True
    own_names: tuple[str, ...] = ()

    def is_source(self, path: str) -> bool:
        """Whether a file of the request is compiled with the source."""
        return path.endswith(self.source_suffixes) and (self.has_folders or "/" not in path)


@dataclass(frozen=True, slots=True)
class Language:
    """One language.

    `version_argv`: runs on the host; `{tool}` stands for `tools[0]`. `trial`: a program that prints 42; a runner that
    starts runs it to see whether the toolchain works. `warm_files`: patterns of large files of the toolchain, read once
    at the start so that no guest is charged for their pages. `warm_imports`: modules that a warm interpreter imports.
    `shown_trees`: directories of the host that guests see in addition to the system's. `shown_folders`: pairs of such a
    directory and its path for guests. `waiting`: a command that runs the program as `run_argv` does and can be started
    before there is a program. `{stack_kib}` and `{stack_bytes}` in `run_argv`, `waiting` and `environment` stand for
    the size of the stack. `source_check`: a program that reads a source from its input and ends with 1 if the
    interpreter refuses it; for a language without a compile step. `refusals`: how its errors begin then.
    """

    name: str
    file_name: str
    tools: tuple[Tool, ...]
    run_argv: tuple[str, ...]
    profiles: Mapping[str, Profile]
    version_argv: tuple[str, ...]
    trial: str
    family: FilterFamily = FilterFamily.NATIVE
    version_prefix: str = ""
    compile: Compile | None = None
    environment: tuple[tuple[str, str], ...] = ()
    needed_files: tuple[str, ...] = ()
    shown_trees: tuple[str, ...] = ()
    shown_folders: tuple[tuple[str, str], ...] = ()
    warm_files: tuple[str, ...] = ()
    warm_imports: tuple[str, ...] = ()
    prepared: Prepared | None = None
    waiting: WaitingCommand | None = None
    name_source: Callable[[bytes], SourceNames] | None = None
    source_check: str | None = None
    refusals: tuple[bytes, ...] = ()

    @property
    def guest_environment(self) -> tuple[tuple[str, str], ...]:
        return GUEST_ENVIRONMENT + self.environment

    def source_names(self, code: bytes) -> SourceNames:
        return SourceNames(self.file_name) if self.name_source is None else self.name_source(code)

    def own_names(self, code: bytes) -> set[str]:
        """Return the names in the working directory that no file of a request may have."""
        names = self.source_names(code)
        made = set() if self.compile is None else {self.compile.artifact, *self.compile.own_names}
        return {names.file, *(file.name for file in names.beside)} | made

    def toolchain_files(self, toolchains_dir: str) -> list[Path]:
        """The tools, and the files that match `warm_files`."""
        tools = [Path(tool.host_path(toolchains_dir)) for tool in self.tools]
        patterns = (pattern.removeprefix("/") for pattern in self.warm_files)
        return tools + sorted(path for pattern in patterns for path in Path("/").glob(pattern))

    def is_present(self, toolchains_dir: str) -> bool:
        return not self.missing(toolchains_dir)

    def missing(self, toolchains_dir: str) -> tuple[str, ...]:
        """Return the paths of tools that cannot be executed and of needed files that cannot be read."""
        tools = (tool.host_path(toolchains_dir) for tool in self.tools)
        files = (*self.needed_files, *self.shown_trees)
        return (
            *(path for path in tools if not os.access(path, os.X_OK)),
            *(path for path in files if not os.access(path, os.R_OK)),
        )

    def run_limits(self, profile: str, **asked: float | None) -> Limits:
        """Return the limits of the run step. `asked`: the request's, by their API names. Raises LimitRefusedError."""
        return choose_limits(self.profiles[profile], asked)


# Limits of the profiles `judge` and `agent` and of the compile step (docs/contract.md, section 7).

OUTPUT_BYTES = 1 * MIB
COMPILE_IDLE_SECS = 4


def profiles(
    language: vocabulary.Language,
    *,
    memory_mb: int,
    cpu_secs: int,
    open_files: int,
    file_mb: int,
    stack_share: Fraction = STACK_SHARE,
) -> Mapping[str, Profile]:
    """Return both profiles of one language: its wall times and processes are those that clients are told.

    `stack_share`: see `Profile`. In `agent` the defaults of time, memory, processes and output are higher.
    """
    row = vocabulary.LANGUAGES[language]
    judge = Limits(
        cpu_time_secs=cpu_secs,
        wall_time_secs=row.judge_wall_secs,
        memory_bytes=memory_mb * MIB,
        max_processes=row.judge_processes,
        max_open_files=open_files,
        max_file_bytes=file_mb * MIB,
        output_bytes=OUTPUT_BYTES,
    )
    # The highest that an operator may choose. The service checks requests against the chosen ones.
    ceilings = {
        "cpu_time_secs": HIGHEST_CEILINGS["cpu_time_secs"],
        "wall_time_secs": HIGHEST_CEILINGS["wall_time_secs"],
        "memory_bytes": HIGHEST_CEILINGS["memory_mb"] * MIB,
        "max_processes": HIGHEST_CEILINGS["max_processes"],
        "output_bytes": HIGHEST_CEILINGS["output_kb"] * KIB,
        "max_file_bytes": FILE_SIZE_CEILING_MB * MIB,
        "max_open_files": OPEN_FILES_CEILING,
        "stack_bytes": STACK_CEILING_MB * MIB,
    }
    judge_ceiling = replace(judge, **ceilings)
    agent = replace(
        judge,
        cpu_time_secs=CPU_CEILING_SECS,
        wall_time_secs=WALL_CEILING_SECS[vocabulary.Profile.AGENT],
        memory_bytes=MEMORY_CEILING_MB * MIB,
        max_processes=row.agent_processes,
    )
    agent_ceiling = replace(agent, **ceilings)
    return MappingProxyType(
        {"judge": Profile(judge, judge_ceiling, stack_share), "agent": Profile(agent, agent_ceiling, stack_share)}
    )


def compile_limits(*, memory_mb: int = 1024, processes: int = 120) -> Limits:
    """Return the limits of a compile step."""
    return Limits(
        cpu_time_secs=15,
        wall_time_secs=30,
        memory_bytes=memory_mb * MIB,
        max_processes=processes,
        max_open_files=256,
        max_file_bytes=256 * MIB,
        output_bytes=OUTPUT_BYTES,
        idle_secs=COMPILE_IDLE_SECS,
    )
