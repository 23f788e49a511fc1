"""What the runner knows of one language: its tools, its steps and its limits.

The numbers are the table of the HTTP contract, section 7. MB and KB are 1024-based.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sandbox_runtime.jail.spec import Limits

KIB = 1024
MIB = 1024 * KIB

# The guest's whole environment before a language adds its own variables.
GUEST_ENVIRONMENT = (("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/box"), ("LANG", "C.UTF-8"))


class LimitRefusedError(Exception):
    """A requested limit is not positive or is above the profile's ceiling."""

    def __init__(self, limit: str, ceiling: float) -> None:
        self.limit = limit
        self.ceiling = ceiling
        super().__init__(f"limit {limit} must be above 0 and at most {ceiling}")


@dataclass(frozen=True, slots=True)
class Tool:
    """An executable that a language needs, by its path in the jail.

    `bundled_path`: where it lies below the toolchains directory, to be bound to `guest_path`;
    None: the host's own file system has it at the same path.
    """

    guest_path: str
    bundled_path: str | None = None

    def host_path(self, toolchains_dir: str) -> str:
        """Path of the executable on the host."""
        return self.guest_path if self.bundled_path is None else str(Path(toolchains_dir) / self.bundled_path)


@dataclass(frozen=True, slots=True)
class Compile:
    """The compile step: runs before the program in a jail of its own and leaves one executable, `artifact`."""

    argv: tuple[str, ...]
    limits: Limits
    artifact: str
    artifact_max_bytes: int = 64 * MIB


@dataclass(frozen=True, slots=True)
class Profile:
    """Default limits of the run step and the highest that a request may ask for."""

    limits: Limits
    ceiling: Limits


@dataclass(frozen=True, slots=True)
class Language:
    """One language. `version_argv` runs on the host with `{tool}` standing for `tools[0]`."""

    name: str
    file_name: str
    tools: tuple[Tool, ...]
    run_argv: tuple[str, ...]
    profiles: Mapping[str, Profile]
    version_argv: tuple[str, ...]
    version_prefix: str = ""
    compile: Compile | None = None
    environment: tuple[tuple[str, str], ...] = ()
    needed_files: tuple[str, ...] = field(default=())

    @property
    def guest_environment(self) -> tuple[tuple[str, str], ...]:
        """The whole environment of the program."""
        return GUEST_ENVIRONMENT + self.environment

    def is_present(self, toolchains_dir: str) -> bool:
        """Tell whether every tool can be executed and every needed file be read."""
        tools = all(os.access(tool.host_path(toolchains_dir), os.X_OK) for tool in self.tools)
        return tools and all(os.access(path, os.R_OK) for path in self.needed_files)

    def run_limits(
        self,
        profile: str,
        *,
        cpu_time_secs: float | None = None,
        wall_time_secs: float | None = None,
        memory_mb: int | None = None,
        max_processes: int | None = None,
        output_kb: int | None = None,
    ) -> Limits:
        """Limits of the run step, None standing for the profile's default. Raises LimitRefusedError."""
        limits, ceiling = self.profiles[profile].limits, self.profiles[profile].ceiling
        return replace(
            limits,
            cpu_time_secs=_chosen("cpu_time_secs", cpu_time_secs, limits.cpu_time_secs, ceiling.cpu_time_secs),
            wall_time_secs=_chosen("wall_time_secs", wall_time_secs, limits.wall_time_secs, ceiling.wall_time_secs),
            memory_bytes=_bytes("memory_mb", memory_mb, MIB, limits.memory_bytes, ceiling.memory_bytes),
            max_processes=int(_chosen("max_processes", max_processes, limits.max_processes, ceiling.max_processes)),
            output_bytes=_bytes("output_kb", output_kb, KIB, limits.output_bytes, ceiling.output_bytes),
        )


def _chosen(name: str, asked: float | None, default: float, ceiling: float) -> float:
    if asked is None:
        return default
    if not 0 < asked <= ceiling:  # NaN fails both comparisons
        raise LimitRefusedError(name, ceiling)
    return asked


def _bytes(name: str, asked: int | None, unit: int, default: int, ceiling: int) -> int:
    return default if asked is None else int(_chosen(name, asked, 0, ceiling // unit)) * unit
