"""A runner asked over HTTP, without the functions and queues: the direct path.

A direct path starts a runner that listens on loopback, and gives what asks it: a message goes in, the completion
comes back.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from bench.answers import Tally, WrongAnswerError, check_completed
from bench.direct_path import direct_path as of_local_stack
from bench.jail_slots import request
from bench.report import Section
from bench.rounds import BWRAP, PYTHON, Way, interleave, series
from bench.scale import Scale
from bench.sources import Program, adding_program, new_number, python_program
from events.completed import ExecutionCompleted
from events.requested import ExecutionRequested

Ask = Callable[[ExecutionRequested], ExecutionCompleted]
DirectPath = Callable[[], AbstractContextManager[Ask]]

_TITLE = "The runner over HTTP"
_NOTES = [
    "One kept connection, one request at a time; every source is new. Client and runner are Python processes.",
    "Beyond set-up and run: both HTTP sides, the messages, waiting for threads, and the end of the jail's processes.",
]


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way], *, direct_path: DirectPath = of_local_stack) -> Section:
    """Starts a stack of its own."""
    with direct_path() as ask:
        ways = [Way("runner, python", lambda: _timed(ask, python_program())[0])]
        ways += [Way("the same, beyond set-up and run", lambda: _beyond_run(ask, python_program()))]
        ways += [Way("runner, c", lambda: _timed(ask, adding_program("c", new_number()))[0])]
        ways += [Way(peer.name, peer.once) for peer in peer_ways if peer.name in {PYTHON, BWRAP}]
        interleave(ways, scale.stack_rounds, tally)
    return Section(title=_TITLE, missing=None, notes=_NOTES, series=series("One request", ways), figures=[])


def _timed(ask: Ask, program: Program) -> tuple[float, ExecutionCompleted]:
    asked = request(program)
    begun_ns = time.perf_counter_ns()
    completed = ask(asked)
    elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
    check_completed(completed, program.expected)
    return elapsed_ms, completed


def _beyond_run(ask: Ask, program: Program) -> float:
    elapsed_ms, completed = _timed(ask, program)
    metrics = completed.metrics
    if metrics is None or metrics.setup_ms is None or metrics.run_ms is None:
        raise WrongAnswerError("no times in the answer")
    return elapsed_ms - metrics.setup_ms - metrics.run_ms
