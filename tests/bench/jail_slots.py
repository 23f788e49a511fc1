"""Slots of the jail in this process, and one timed request in one of them."""

import time
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sandbox_runtime.executor import execute
from sandbox_runtime.jail import Slot, SlotConfig, open_slot
from sandbox_runtime.languages import Language, binds, prepare, present, warm
from sandbox_runtime.messages import ExecutionCompleted, ExecutionRequested, LimitOverrides, format_time
from tests.bench.answers import check_completed
from tests.bench.machine import TOOLCHAINS
from tests.bench.sources import Program

# Ways in which a slot can serve a run, by what SlotConfig must be given. One that SlotConfig does not know is absent.
SERVICES: Mapping[str, Mapping[str, Any]] = {
    "jail, fresh": {},
    "jail, pre-warmed": {"prewarmed": 1},
}
_FIRST_INDEX = 26  # user ids above those of a worker with that many slots, below those of commands


def is_offered(service: str) -> bool:
    """Tell whether slots of this version know this way."""
    return SERVICES[service].keys() <= {entry.name for entry in fields(SlotConfig)}


def languages() -> Mapping[str, Language]:
    """Those whose toolchain is installed, ready to run. Raises PreparationError."""
    found = present(TOOLCHAINS)
    for language in found.values():
        prepare(language, TOOLCHAINS)
        warm(language, TOOLCHAINS)
    return found


def new_slot(index: int, offered: Mapping[str, Language], service: str = "jail, fresh") -> Slot:
    """Open one; close it. Raises JailError."""
    mounts = binds(tuple(offered.values()), TOOLCHAINS)
    return open_slot(SlotConfig(f"bench-{index}", _FIRST_INDEX + index, mounts, **SERVICES[service]))


def request(program: Program) -> ExecutionRequested:
    """The message that asks for it."""
    return ExecutionRequested(
        submission_id=str(uuid4()),
        execution_id=str(uuid4()),
        project_id="bench",
        language=program.language,
        profile="judge",
        priority="interactive",
        code=program.code.encode(),
        stdin=program.stdin.encode(),
        limits=LimitOverrides(**dict(program.limits)),  # type: ignore[arg-type] # two of them are integers
        requested_at=format_time(datetime.now(UTC)),
    )


def timed(slot: Slot, language: Language, program: Program) -> tuple[float, ExecutionCompleted]:
    """(milliseconds, answer), the answer checked. Raises WrongAnswerError and JailError."""
    asked = request(program)
    begun_ns = time.perf_counter_ns()
    completed = execute(slot, asked, language, node_id="bench", started_at=datetime.now(UTC))
    elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
    check_completed(completed, program.expected)
    return elapsed_ms, completed
