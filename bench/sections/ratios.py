"""Answers and webhooks of the local stack beside bare `python3 -c`, in alternating rounds on the same cores.

B is the number of times a second that `python3 -c` runs the same program in a closed loop over all cores.
"""

import itertools
import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from bench.answers import Tally, WrongAnswerError, check_result
from bench.api_client import ApiClient, Endpoint, body_of, parsed
from bench.closed_loop import ClosedLoop
from bench.hook_server import HookServer, Receipt
from bench.report import Figure, Section
from bench.rounds import FAILURES, PYTHON, Way
from bench.running_stack import running_stack
from bench.scale import Scale
from bench.sections.throughput import checked
from bench.sources import Program, python_program

CLIENTS = 16
ROUNDS = 4
_ARRIVAL_SECS = 30
_POLL_SECS = 20
_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
_PATH = "/ratios"
_NOTES = [
    "B: `python3 -c` prints once a process, closed loop over all cores. Each round measures each row once.",
    f"Synchronous answers: wait=true. {CLIENTS} clients send again when they have their answer.",
    "Webhooks: the run has a URL and a secret; from the submission to the last byte at a receiver, which verifies it.",
    "Submissions and polls: from the submission to the result, which one long poll waits for.",
    "One client: median times, and how often the median of bare `python3 -c` goes into them.",
]


@dataclass(slots=True)
class _Row:
    """One thing to measure: `measure(requests)` returns their milliseconds and how many ended a second."""

    name: str
    measure: Callable[[int], tuple[list[float], float]]
    times_ms: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Starts a stack of its own."""
    python = next(way for way in peer_ways if way.name == PYTHON)
    requests = max(scale.load_requests // ROUNDS, 2 * CLIENTS)
    cores = os.cpu_count() or 1
    with running_stack() as stack, HookServer() as hooks:
        hooks.expect({_PATH: _SECRET}, frozenset())
        webhooks = _Webhooks(stack.endpoint, hooks)
        hooks.told = webhooks.arrived
        synchronous = partial(_synchronous, stack.endpoint, tally)
        rows = [
            _Row("bare python3 -c, all cores", lambda count: _loop(cores, count, tally, lambda _: python.once())),
            _Row(f"synchronous answers, {CLIENTS} clients", lambda count: synchronous(CLIENTS, count)),
            _Row(f"webhooks, {CLIENTS} clients", lambda count: webhooks.loop(CLIENTS, count, tally)),
            _Row(f"submissions and polls, {CLIENTS} clients", lambda count: _polls(stack.endpoint, count, tally)),
            _Row("bare python3 -c, one", lambda count: _loop(1, count // 4, tally, lambda _: python.once())),
            _Row("synchronous answers, one client", lambda count: synchronous(1, count // 4)),
            _Row("webhooks, one client", lambda count: webhooks.loop(1, count // 4, tally)),
        ]
        for row in rows:  # not counted: first requests import what they need
            row.measure(2 * CLIENTS)
        for number in range(ROUNDS):
            for row in (*rows[number % len(rows) :], *rows[: number % len(rows)]):
                times_ms, rate = row.measure(requests)
                row.times_ms += times_ms
                row.rates.append(rate)
    return Section(title="Ratios", missing=None, notes=_NOTES, series=[], figures=list(_figures(rows)))


def _figures(rows: Sequence[_Row]) -> Iterator[Figure]:
    many, one = rows[:4], rows[4:]
    for row in many:
        rate = statistics.median(row.rates)
        ratio = statistics.median(mine / bare for mine, bare in zip(row.rates, rows[0].rates, strict=True))
        yield Figure(group=row.name, name="per second", value=round(rate, 1), unit="1/s")
        yield Figure(group=row.name, name="to B", value=round(ratio, 3), unit="B")
    bare_ms = statistics.median(one[0].times_ms)
    for row in one:
        median_ms = statistics.median(row.times_ms)
        yield Figure(group=row.name, name="median", value=round(median_ms, 2), unit="ms")
        yield Figure(group=row.name, name="to bare", value=round(median_ms / bare_ms, 3), unit="x")


def _synchronous(endpoint: Endpoint, tally: Tally, clients: int, requests: int) -> tuple[list[float], float]:
    loop = ClosedLoop(endpoint, clients, (python_program() for _ in itertools.repeat(None, requests)), _ARRIVAL_SECS)
    times_ms: list[float] = []
    for exchange in loop:
        try:
            times_ms.append(checked(exchange))
        except (WrongAnswerError, ValueError) as error:
            tally.fail(f"synchronous answer: {error}")
        else:
            tally.right()
    return times_ms, len(times_ms) / loop.elapsed_secs


def _loop(clients: int, requests: int, tally: Tally, once: Callable[[int], float]) -> tuple[list[float], float]:
    """Let each client do its share of the requests one after the other. `once` takes the client's number."""
    times_ms: list[float] = []

    def client(number: int) -> None:
        for _ in range(requests // clients):
            try:
                times_ms.append(once(number))
            except FAILURES as error:
                tally.fail(f"{type(error).__name__}: {error}")
            else:
                tally.right()

    begun = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    return times_ms, len(times_ms) / (time.monotonic() - begun)


def _polls(endpoint: Endpoint, requests: int, tally: Tally) -> tuple[list[float], float]:
    with _connected(endpoint, CLIENTS) as connected:
        return _loop(CLIENTS, requests, tally, lambda number: _polled(connected[number]))


def _polled(client: ApiClient) -> float:
    program = python_program()
    begun_ns = time.perf_counter_ns()
    found = parsed(client.submit(body_of(program), wait=False))
    while "verdict" not in found:
        found = client.result(found["id"], _POLL_SECS)
    check_result(found, program.expected)
    return (time.perf_counter_ns() - begun_ns) / 1e6


class _Webhooks:
    """Submits programs with a webhook and waits until it has arrived."""

    def __init__(self, endpoint: Endpoint, hooks: HookServer) -> None:
        self._endpoint = endpoint
        self._hooks = hooks
        self._lock = threading.Lock()
        self._receipts: dict[str, Receipt] = {}
        self._waiting: dict[str, threading.Event] = {}

    def arrived(self, receipt: Receipt) -> None:
        """Tell the client that waits for it."""
        run_id = str(json.loads(receipt.body)["id"])
        with self._lock:
            self._receipts[run_id] = receipt
            waiting = self._waiting.get(run_id)
        if waiting is not None:
            waiting.set()

    def loop(self, clients: int, requests: int, tally: Tally) -> tuple[list[float], float]:
        """Let clients submit one program after the other."""
        with _connected(self._endpoint, clients) as connected:
            return _loop(clients, requests, tally, lambda number: self._once(connected[number]))

    def _once(self, client: ApiClient) -> float:
        program = python_program()
        begun = time.time()
        run_id = parsed(client.submit(self._body(program), wait=False))["id"]
        came = threading.Event()
        with self._lock:
            self._waiting[run_id] = came
            if run_id in self._receipts:
                came.set()
        if not came.wait(_ARRIVAL_SECS):
            raise WrongAnswerError(f"no webhook within {_ARRIVAL_SECS} s")
        receipt = self._receipts[run_id]
        if not receipt.is_genuine:
            raise WrongAnswerError("the webhook does not verify")
        check_result(json.loads(receipt.body), program.expected)
        return 1000 * (receipt.at - begun)

    def _body(self, program: Program) -> bytes:
        fields = {
            "language": program.language,
            "code": program.code,
            "stdin": program.stdin,
            "webhook_url": self._hooks.url_of(_PATH),
            "webhook_secret": _SECRET,
        }
        return json.dumps(fields).encode()


@contextmanager
def _connected(endpoint: Endpoint, clients: int) -> Iterator[list[ApiClient]]:
    made = [ApiClient(endpoint) for _ in range(clients)]
    try:
        yield [client.__enter__() for client in made]
    finally:
        for client in made:
            client.__exit__(None, None, None)
