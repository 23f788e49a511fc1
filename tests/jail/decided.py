"""Repeats runs that the jail gave no verdict because the machine was too busy, as a worker's queue does."""

from collections.abc import Callable

from events.completed import ExecutionCompleted
from events.vocabulary import Cause
from sandbox_runtime.jail import Outcome, StopReason

_TRIES = 10  # each waits for a free CPU first; other stages of `make test` run beside this one


def decided(run: Callable[[], ExecutionCompleted]) -> ExecutionCompleted:
    """Return the first answer that is about the program, or the last one."""
    return _first(run, lambda completed: completed.result.cause != Cause.IE_HOST_OVERLOADED)


def decided_outcome(run: Callable[[], Outcome]) -> Outcome:
    """Return the first outcome that is about the program, or the last one."""
    return _first(run, lambda outcome: outcome.stop_reason is not StopReason.HOST_OVERLOADED)


def _first[Found](run: Callable[[], Found], is_decided: Callable[[Found], bool]) -> Found:
    for _ in range(_TRIES):
        found = run()
        if is_decided(found):
            break
    return found
