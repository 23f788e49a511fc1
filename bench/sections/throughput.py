"""The whole local stack under load: 1 to 64 clients on loopback that send again when they have their answer."""

import itertools
from collections.abc import Sequence

from bench.answers import Tally, WrongAnswerError, check_result
from bench.api_client import parsed
from bench.closed_loop import ClosedLoop, Exchange
from bench.floors.calls import CLIENTS as FLOOR_CLIENTS
from bench.floors.calls import bare_calls, load
from bench.processes import cpu_secs
from bench.report import Figure, Section, Series
from bench.rounds import Way, series
from bench.running_stack import RunningStack, running_stack
from bench.scale import Scale
from bench.sources import python_program

CLIENTS = (1, 4, 16, 64)
_NOTES = [
    "wait=true, Python print, every source new, connections kept. The client is one process on the same cores.",
    "Client CPU: its share of the CPU time that client, stack and guests used together.",
    f"Floors, behind the {FLOOR_CLIENTS} clients: so many threads of one process beside the functions, without these.",
    "They make the two calls and the run of a sync answer; with the place in a quota, which is given back, four calls.",
]


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Starts a stack of its own."""
    timings: list[Series] = []
    figures: list[Figure] = []
    with running_stack() as stack:
        _level(stack, 4, 8, scale.load_secs, tally)  # not counted: first requests import what they need
        for clients in CLIENTS:
            found, numbers = _level(stack, clients, max(scale.load_requests, clients), scale.load_secs, tally)
            timings += found
            figures += numbers
            if clients == FLOOR_CLIENTS:
                with bare_calls(stack) as calls:
                    found, numbers = load(calls, max(scale.load_requests // 3, clients), tally)
                timings += found
                figures += numbers
    return Section(title="Throughput", missing=None, notes=_NOTES, series=timings, figures=figures)


def _level(
    stack: RunningStack, clients: int, requests: int, most_secs: float, tally: Tally
) -> tuple[list[Series], list[Figure]]:
    programs = (python_program() for _ in itertools.repeat(None, requests))
    loop = ClosedLoop(stack.endpoint, clients, programs, most_secs)
    used_before = cpu_secs(stack.pids())
    exchanges = list(loop)
    stack_cpu_secs = cpu_secs(stack.pids()) - used_before
    name = f"{clients} client{'s' if clients > 1 else ''}"
    times_ms, errors = [], 0
    for exchange in exchanges:
        try:
            times_ms.append(checked(exchange))
        except (WrongAnswerError, ValueError) as error:
            errors += 1
            tally.fail(f"{name}: {error}")
        else:
            tally.right()
    share = 100 * loop.client_cpu_secs / (loop.client_cpu_secs + stack_cpu_secs)
    busy = 100 * (loop.client_cpu_secs + stack_cpu_secs) / loop.elapsed_secs
    numbers = [
        ("right answers per second", round(len(times_ms) / loop.elapsed_secs, 1), "1/s"),
        ("requests", len(exchanges), ""),
        ("errors", errors, ""),
        ("stack CPU per request", round(1000 * stack_cpu_secs / len(exchanges), 2), "ms"),
        ("client CPU", round(share, 1), "%"),
        ("CPU of client and stack", round(busy), "% of a core"),
    ]
    way = Way(name, lambda: 0, times_ms=times_ms)
    return series("Latency", [way]), [
        Figure(group=name, name=key, value=value, unit=unit) for key, value, unit in numbers
    ]


def checked(exchange: Exchange) -> float:
    """Its milliseconds. Raises WrongAnswerError, or ValueError for what is no JSON."""
    if exchange.answer is None:
        raise WrongAnswerError(exchange.problem)
    check_result(parsed(exchange.answer), exchange.program.expected)
    return exchange.elapsed_ms
