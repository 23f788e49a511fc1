"""Limits of the profiles `judge` and `agent` and of the compile step (docs/contract.md, section 7)."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

from events import vocabulary
from events.limits import (
    CPU_CEILING_SECS,
    FILE_SIZE_CEILING_MB,
    HIGHEST_CEILINGS,
    MEMORY_CEILING_MB,
    OPEN_FILES_CEILING,
    ROWS,
    STACK_CEILING_MB,
    WALL_CEILING_SECS,
)
from sandbox_runtime.jail.spec import Limits
from sandbox_runtime.languages.requested.limits import KIB, MIB, STACK_SHARE, Profile

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
    row = ROWS[language]
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
