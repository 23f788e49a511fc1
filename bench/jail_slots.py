"""Slots of the jail in this process, and one timed request in one of them."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from bench.answers import check_completed
from bench.machine import TOOLCHAINS
from bench.sources import Program
from events import vocabulary
from events.completed import ExecutionCompleted
from events.message import format_time
from events.program import RequestedLimits
from events.requested import ExecutionRequested
from sandbox_runtime.executor import NO_CACHE, CompileCache, execute
from sandbox_runtime.jail import JailError, JailSpec, Slot, SlotConfig, open_slot
from sandbox_runtime.languages import (
    DEFAULT_PROFILE,
    Language,
    binds,
    compile_spec,
    init_program,
    prepare,
    present,
    prewarm_spec,
    run_spec,
    toolchain_digest,
    version,
    waiting_specs,
    warm,
    warm_start,
)
from sandbox_runtime.prewarm import PrewarmedSlot, WaitingPool
from sandbox_runtime.settings import DEFAULT_COMPILE_CACHE_MAX_AGE_SECS, DEFAULT_COMPILE_CACHE_MB

EXEC, FRESH, PREWARMED = "jail, new interpreter", "jail, fresh", "jail, pre-warmed"
SERVICES = (EXEC, FRESH, PREWARMED)
"""Ways in which a slot serves a run of Python: exec, fork of a warm interpreter, a pre-warmed process used once."""
_READY_SECS = 0.02
_PATIENCE_SECS = 60.0
_FIRST_INDEX = 26  # user ids above those of a worker with that many slots, below those of commands


def languages() -> Mapping[str, Language]:
    """Those whose toolchain is installed, ready to run. Raises PreparationError."""
    found = present(TOOLCHAINS)
    for language in found.values():
        prepare(language, TOOLCHAINS)
        warm(language, TOOLCHAINS)
    return found


def new_slot(index: int, offered: Mapping[str, Language], service: str = FRESH) -> Slot:
    """Open one; close it. Raises JailError."""
    mounts = binds(tuple(offered.values()), TOOLCHAINS)
    interpreter = None if service == EXEC else warm_start(offered.values())
    return open_slot(
        SlotConfig(
            f"bench-{index}", _FIRST_INDEX + index, mounts, warm=interpreter, small_init=init_program(TOOLCHAINS)
        )
    )


class WaitingCommands:
    """The pool of commands that wait, and its slots."""

    def __init__(self, offered: Mapping[str, Language]) -> None:
        self._specs = waiting_specs(offered.values(), TOOLCHAINS)
        self._mounts = binds(tuple(offered.values()), TOOLCHAINS)
        self._slots: dict[int, Slot] = {}
        self.pool = WaitingPool(self._specs, self._open)

    def _open(self, index: int) -> Slot:
        name = f"bench-waiting-{index}"
        self._slots[index] = open_slot(
            SlotConfig(name, _FIRST_INDEX + len(SERVICES) + index, self._mounts, small_init=init_program(TOOLCHAINS))
        )
        return self._slots[index]

    def wait(self) -> None:
        """Until every command waits, as it does some time after the last request. Raises JailError."""
        end = time.monotonic() + _PATIENCE_SECS
        for index, spec in enumerate(self._specs):
            while index not in self._slots or not self._slots[index].is_ready_for(spec):
                if time.monotonic() > end:
                    raise JailError("wait", hint="a waiting command does not get ready")
                time.sleep(_READY_SECS)


@contextmanager
def waiting_commands(offered: Mapping[str, Language]) -> Iterator[WaitingCommands]:
    """Start them; all are gone at the end."""
    made = WaitingCommands(offered)
    made.pool.start()
    try:
        yield made
    finally:
        made.pool.close()


def get_ready(slot: Slot, language: Language) -> None:
    """Stage a run, as a worker does behind each answer, and leave it the time that it gets between two requests."""
    spec = prewarm_spec([language])
    if spec is not None:
        slot.prewarm(spec)
        time.sleep(_READY_SECS)


def stage_first_step(slot: Slot, language: Language) -> None:
    """Be ready for a new source of this language."""
    if language.compile is None:
        stage_run(slot, language)
    else:
        _prewarm(slot, compile_spec(language, language.compile, b""))


def stage_run(slot: Slot, language: Language) -> None:
    """Be ready for a program of this language that is there already."""
    _prewarm(slot, run_spec(language, b"", None, limits=language.run_limits(DEFAULT_PROFILE), stdin=b""))


def _prewarm(slot: Slot, spec: JailSpec) -> None:
    slot.prewarm(replace(spec, waiting=None))  # a PrewarmedSlot leaves what waits to the pool
    time.sleep(_READY_SECS)


def request(program: Program) -> ExecutionRequested:
    """The message that asks for it."""
    return ExecutionRequested(
        submission_id=str(uuid4()),
        execution_id=str(uuid4()),
        project_id="bench",
        language=vocabulary.Language(program.language),
        profile=vocabulary.Profile.JUDGE,
        priority="interactive",
        code=program.code.encode(),
        stdin=program.stdin.encode(),
        limits=RequestedLimits(**dict(program.limits)),  # type: ignore[arg-type] # two of them are integers
        requested_at=format_time(datetime.now(UTC)),
    )


def new_cache(offered: Mapping[str, Language]) -> CompileCache:
    """As a worker has one without settings of its own."""
    toolchains = {
        name: toolchain_digest(language, TOOLCHAINS, version(language, TOOLCHAINS))
        for name, language in offered.items()
    }
    return CompileCache(
        toolchains, max_bytes=DEFAULT_COMPILE_CACHE_MB << 20, max_age_secs=DEFAULT_COMPILE_CACHE_MAX_AGE_SECS
    )


def timed(
    slot: Slot | PrewarmedSlot, language: Language, program: Program, cache: CompileCache = NO_CACHE
) -> tuple[float, ExecutionCompleted]:
    """(milliseconds, answer), the answer checked. Raises WrongAnswerError and JailError."""
    asked = request(program)
    begun_ns = time.perf_counter_ns()
    completed = execute(slot, asked, language, node_id="bench", started_at=datetime.now(UTC), compile_cache=cache)
    elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
    slot.settle()  # behind the answer, as a worker does
    check_completed(completed, program.expected)
    return elapsed_ms, completed
