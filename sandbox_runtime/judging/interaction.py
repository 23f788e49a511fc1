"""One case with an interactor: program and interactor run at the same time, each in a jail of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import NamedTuple

from events import vocabulary
from events.vocabulary import Phase, Verdict
from sandbox_runtime.classify import Classification, classify
from sandbox_runtime.executor.run_stop import RunStop
from sandbox_runtime.executor.step_runs import ExecutionDrainedError, Jail, was_drained
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.judging.judgement import Judgement, of_run
from sandbox_runtime.judging.programs import INPUT, ReadyProgram
from sandbox_runtime.judging.relay import Relay

# An interactor that waits for its program outlives it, so that a deadlock is the program's time limit.
EXTRA_WALL_SECS = 5
INTERACTOR_OUTPUT_BYTES = 8 << 20
"""And as many bytes as its input has, because interactors pass parts of it on."""

INTERACTOR_CUT = f"the interactor wrote more than {INTERACTOR_OUTPUT_BYTES:,} bytes and its input"

type LendSlot = Callable[[], AbstractContextManager[Jail]]
"""Lends a second slot. Raises JailError."""


class BothEnds(NamedTuple):
    """The outcomes of program and interactor, and whether the interactor's output ended first."""

    program: Outcome
    interactor: Outcome
    is_interactor_first: bool


def interact(
    program: Jail, interactor_slot: LendSlot, spec: JailSpec, interactor_spec: JailSpec, stop: RunStop | None
) -> BothEnds:
    """Run both. Raises JailError and ExecutionDrainedError."""
    wall_secs = spec.limits.wall_time_secs + spec.overtime_secs + EXTRA_WALL_SECS
    limits = replace(interactor_spec.limits, wall_time_secs=wall_secs)
    input_bytes = sum(len(file.content) for file in interactor_spec.files if file.name == INPUT)
    relay = Relay(spec.limits.output_bytes, INTERACTOR_OUTPUT_BYTES + input_bytes)
    try:
        # Waiting commands and pre-warmed runs have their streams already.
        first = replace(spec, pipes=relay.first, stdin=b"", waiting=None)
        second = replace(interactor_spec, pipes=relay.second, limits=limits, waiting=None)
        with interactor_slot() as other, ThreadPoolExecutor(1) as threads:
            relay.start()
            answering = threads.submit(_answer, other, second, stop, relay.second.close)
            ran = _answer(program, first, stop, relay.first.close)
            answered = answering.result()
        is_interactor_first = relay.has_second_ended_first
    finally:
        written, told = relay.close()
    for outcome in (ran, answered):
        if was_drained(outcome, stop):
            raise ExecutionDrainedError
    return BothEnds(
        replace(ran, stdout=written[0], stdout_cut=written[1]),
        # Its output was for the program, and is no message of the judge.
        replace(answered, stdout=b"", stdout_cut=told[1]),
        is_interactor_first,
    )


def _answer(jail: Jail, spec: JailSpec, stop: RunStop | None, close_pipes: Callable[[], None]) -> Outcome:
    try:
        return jail.answer(spec, cancel_fd=None if stop is None else stop.fd)
    finally:
        close_pipes()  # if the run never started, the other one must not wait for it


def judgement_of_both(interactor: ReadyProgram, ends: BothEnds, found: Classification) -> Judgement:
    """Judge a case by both ends. `found`: of the program.

    The interactor decides if its output ended first and it did not accept: the program may have failed for that reason.
    It never accepts a program that failed.
    """
    own, answered = of_run(found), ends.interactor
    if own is not None and found.verdict is Verdict.IE:
        return own
    if answered.stdout_cut:
        decided = Judgement(vocabulary.Outcome.JUDGE_ERROR, INTERACTOR_CUT)
    else:
        decided = interactor.judgement(answered, classify(answered, Phase.RUN), name="interactor")
    has_accepted = decided.outcome in {vocabulary.Outcome.PASSED, vocabulary.Outcome.PARTIAL}
    if own is None or (ends.is_interactor_first and not has_accepted):
        return decided
    return own
