"""The same program through the API and through the protocols of other services, one request at a time."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from bench.answers import Tally, WrongAnswerError
from bench.report import Section
from bench.rounds import Way, interleave, series
from bench.running_stack import running_stack
from bench.scale import Scale
from bench.sources import python_program

_NOTES = [
    "One client, one kept connection, one request at a time; every source is new. The client waits for the result.",
    "All have the same limits: 5 s of CPU time, 10 s of wall time.",
]


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Starts a stack of its own."""
    del peer_ways
    with running_stack() as stack, stack.local.client() as client:
        ways = [
            Way("POST /api/submit", lambda: _api(client)),
            Way("Judge0", lambda: _judge0(client)),
            Way("Piston", lambda: _piston(client)),
        ]
        interleave(ways, scale.stack_rounds, tally)
    return Section(title="Dialects", missing=None, notes=_NOTES, series=series("One request", ways), figures=[])


def _api(client: httpx.Client) -> float:
    limits = {"cpu_time_secs": 5, "wall_time_secs": 10}
    return _timed(
        client,
        "/api/submit?wait=true",
        lambda source: {"language": "python", "code": source, "limits": limits},
        lambda answer: answer["stdout"],
    )


def _judge0(client: httpx.Client) -> float:
    return _timed(
        client,
        "/judge0/submissions?wait=true",
        lambda source: {"language_id": 71, "source_code": source},
        lambda answer: answer["stdout"],
    )


def _piston(client: httpx.Client) -> float:
    more = {"language": "python", "version": "*", "run_cpu_time": 5000, "run_timeout": 10_000}
    return _timed(
        client,
        "/piston/api/v2/execute",
        lambda source: {"files": [{"content": source}], **more},
        lambda answer: answer["run"]["stdout"],
    )


def _timed(
    client: httpx.Client,
    path: str,
    body: Callable[[str], Mapping[str, object]],
    stdout: Callable[[Mapping[str, Any]], str],
) -> float:
    program = python_program()
    sent = body(program.code)
    begun_ns = time.perf_counter_ns()
    answer = client.post(path, json=sent)
    elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
    if answer.is_error or stdout(answer.json()) != program.expected.stdout:
        raise WrongAnswerError(f"{path} answered {answer.status_code}: {answer.text[:200]}")
    return elapsed_ms
