"""The whole local stack, one client: each of the ways to a result, and the parts of the way through the queue."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from bench.answers import Tally, check_result
from bench.api_client import ApiClient, body_of, parsed
from bench.floors.calls import bare_calls, call_ways
from bench.report import Section
from bench.rounds import BWRAP, PYTHON, Way, interleave, series
from bench.running_stack import running_stack
from bench.scale import Scale
from bench.sources import Program, adding_program, new_number, python_program

_NOTES = [
    "One client, one kept connection, one request at a time; every source is new.",
    "Queue path: from the submission to the first answer that shows the result.",
    "Floors: bare calls by the functions' own AWS clients in a process beside them; no HTTP request to the service.",
    "A run, its row and its final state: the runner is asked, the row put meanwhile; then an update on condition.",
    "With its place in a quota: behind another update on condition, as a submission has it.",
    "A row and a message: one put, then one sent. A row read: one consistent read of a finished row.",
]
_FLOOR_EVERY = 2
_PAUSE_SECS = 0.01
_LONG_POLL_SECS = 20
_MOST_SECS = 40


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Starts a stack of its own."""
    with running_stack() as stack, ApiClient(stack.endpoint) as client, bare_calls(stack) as calls:
        ways = [
            Way("wait=true, python", lambda: _waited(client, python_program())),
            Way("wait=true, c, first compile", lambda: _waited(client, adding_program("c", new_number()))),
            Way("submit, answered with the id", lambda: _submitted(client, python_program())),
            Way("poll of a finished run", lambda: _polled(client, python_program())),
            Way("queue path, polled every 10 ms", lambda: _through_queue(client, python_program(), _poll)),
            Way("queue path, long poll", lambda: _through_queue(client, python_program(), _long_poll)),
        ]
        ways += [Way(peer.name, peer.once) for peer in peer_ways if peer.name in {PYTHON, BWRAP}]
        ways += call_ways(calls, _FLOOR_EVERY)
        interleave(ways, scale.stack_rounds, tally)
    return Section(title="The whole stack", missing=None, notes=_NOTES, series=series("One request", ways), figures=[])


def _waited(client: ApiClient, program: Program) -> float:
    body = body_of(program)
    begun_ns = time.perf_counter_ns()
    content = client.submit(body, wait=True)
    elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
    check_result(parsed(content), program.expected)
    return elapsed_ms


def _submitted(client: ApiClient, program: Program) -> float:
    """The run is awaited, and checked, when the clock has stopped."""
    body = body_of(program)
    begun_ns = time.perf_counter_ns()
    content = client.submit(body, wait=False)
    elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
    check_result(_long_poll(client, parsed(content)["id"]), program.expected)
    return elapsed_ms


def _polled(client: ApiClient, program: Program) -> float:
    submission_id = parsed(client.submit(body_of(program), wait=True))["id"]
    begun_ns = time.perf_counter_ns()
    result = client.result(submission_id)
    elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
    check_result(result, program.expected)
    return elapsed_ms


def _through_queue(client: ApiClient, program: Program, until: Callable[[ApiClient, str], dict[str, Any]]) -> float:
    body = body_of(program)
    begun_ns = time.perf_counter_ns()
    result = until(client, parsed(client.submit(body, wait=False))["id"])
    elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
    check_result(result, program.expected)
    return elapsed_ms


def _poll(client: ApiClient, submission_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + _MOST_SECS
    while "verdict" not in (result := client.result(submission_id)) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECS)
    return result


def _long_poll(client: ApiClient, submission_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + _MOST_SECS
    while "verdict" not in (result := client.result(submission_id, _LONG_POLL_SECS)) and time.monotonic() < deadline:
        pass  # the service held the request as long as it may
    return result
