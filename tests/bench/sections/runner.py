"""A runner asked over HTTP, without the functions and queues: the direct path.

`DIRECT_PATH` is the plug. It starts a runner of its own that listens on loopback, and gives what asks it: a message
goes in, the completion comes back. None: the runners of this version do not listen.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from sandbox_runtime.messages import ExecutionCompleted, ExecutionRequested
from tests.bench.answers import Tally, check_completed
from tests.bench.jail_slots import request
from tests.bench.report import Section
from tests.bench.rounds import BWRAP, PYTHON, Way, interleave, series
from tests.bench.scale import Scale
from tests.bench.sources import Program, adding_program, new_number, python_program

Ask = Callable[[ExecutionRequested], ExecutionCompleted]
DirectPath = Callable[[], AbstractContextManager[Ask]]

DIRECT_PATH: DirectPath | None = None

_TITLE = "The runner over HTTP"


def run(
    scale: Scale, tally: Tally, peer_ways: Sequence[Way], *, direct_path: DirectPath | None = DIRECT_PATH
) -> Section:
    """Nothing is measured without a direct path."""
    if direct_path is None:
        reason = "not available: the runners of this version do not listen"
        return Section(title=_TITLE, missing=reason, notes=[], series=[], figures=[])
    with direct_path() as ask:
        ways = [Way("runner, python", lambda: _timed(ask, python_program()))]
        ways += [Way("runner, c", lambda: _timed(ask, adding_program("c", new_number())))]
        ways += [Way(peer.name, peer.once) for peer in peer_ways if peer.name in {PYTHON, BWRAP}]
        interleave(ways, scale.stack_rounds, tally)
    notes = ["One kept connection, one request at a time."]
    return Section(title=_TITLE, missing=None, notes=notes, series=series("One request", ways), figures=[])


def _timed(ask: Ask, program: Program) -> float:
    asked = request(program)
    begun_ns = time.perf_counter_ns()
    completed = ask(asked)
    elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
    check_completed(completed, program.expected)
    return elapsed_ms
