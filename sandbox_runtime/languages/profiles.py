"""Limits of the profiles `judge` and `agent` and of the compile step (docs/contract.md, section 7)."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

from sandbox_runtime.jail.spec import Limits
from sandbox_runtime.languages.requested.limits import MIB, STACK_SHARE, Profile

OUTPUT_BYTES = 1 * MIB
# The highest ceilings that an operator of the service may choose. The service checks requests against the chosen ones.
CEILING_CPU_SECS = 60
CEILING_WALL_SECS = 120
CEILING_MEMORY_BYTES = 4096 * MIB
CEILING_PROCESSES = 1024
CEILING_OUTPUT_BYTES = 8 * MIB
CEILING_FILE_BYTES = 100 * MIB
CEILING_OPEN_FILES = 1024
CEILING_STACK_BYTES = 1024 * MIB
AGENT_MEMORY_BYTES = 1024 * MIB
AGENT_CPU_SECS = 15
AGENT_WALL_SECS = 30
COMPILE_IDLE_SECS = 4


def profiles(
    *,
    memory_mb: int,
    cpu_secs: int,
    wall_secs: int,
    processes: int,
    open_files: int,
    file_mb: int,
    agent_processes: int,
    stack_share: Fraction = STACK_SHARE,
) -> Mapping[str, Profile]:
    """Return both profiles of one language, from its row of the table.

    `stack_share`: see `Profile`. In `agent` the defaults of time, memory, processes and output are higher.
    """
    judge = Limits(
        cpu_time_secs=cpu_secs,
        wall_time_secs=wall_secs,
        memory_bytes=memory_mb * MIB,
        max_processes=processes,
        max_open_files=open_files,
        max_file_bytes=file_mb * MIB,
        output_bytes=OUTPUT_BYTES,
    )
    ceilings = {
        "cpu_time_secs": CEILING_CPU_SECS,
        "wall_time_secs": CEILING_WALL_SECS,
        "memory_bytes": CEILING_MEMORY_BYTES,
        "max_processes": CEILING_PROCESSES,
        "output_bytes": CEILING_OUTPUT_BYTES,
        "max_file_bytes": CEILING_FILE_BYTES,
        "max_open_files": CEILING_OPEN_FILES,
        "stack_bytes": CEILING_STACK_BYTES,
    }
    judge_ceiling = replace(judge, **ceilings)
    agent = replace(
        judge,
        cpu_time_secs=AGENT_CPU_SECS,
        wall_time_secs=AGENT_WALL_SECS,
        memory_bytes=AGENT_MEMORY_BYTES,
        max_processes=agent_processes,
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
