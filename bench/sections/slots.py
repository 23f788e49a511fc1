"""The whole stack with one, two and four slots: each of the three ways to a result, alone and four at once."""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

from bench.answers import Tally, check_result
from bench.api_client import ApiClient, Endpoint, body_of, parsed
from bench.hook_server import HookServer, Receipt
from bench.report import Figure, Section, Series
from bench.rounds import FAILURES, Way, series
from bench.running_stack import RunningStack, running_stack
from bench.scale import Scale
from bench.sources import python_program

SLOTS = (1, 2, 4)
IN_FLIGHT = (1, 4)
_PATH = "/hook"
_LONG_POLL_SECS = 20
_PATIENCE_SECS = 30
_NOTES = [
    "Python print, every source new. Clients are threads of this process; each sends again when it has its result.",
    "With one slot the stack runs on one CPU, with its clients on all.",
    "Poll: submit, then one long poll. Webhook: submit, then the request at an endpoint, verified.",
]

type Once = Callable[[ApiClient], None]


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Starts a stack for each number of slots."""
    timings: list[Series] = []
    figures: list[Figure] = []
    for slots in SLOTS:
        with HookServer() as hooks, _stack(slots) as stack:
            webhooks = _Webhooks(hooks)
            hooked_key = stack.local.add_project("hooked")
            webhooks.add_endpoint(stack, hooked_key)
            for name, api_key, once in (
                ("synchronous", stack.endpoint.api_key, _synchronous),
                ("poll", stack.endpoint.api_key, _polled),
                ("webhook", hooked_key, webhooks.once),
            ):
                for in_flight in IN_FLIGHT:
                    loop = _Loop(
                        f"{slots} slot{'s' if slots > 1 else ''}, {name}, {in_flight} in flight",
                        Endpoint(stack.local.port, api_key),
                    )
                    times_ms, rate = loop.measure(once, in_flight, scale, tally)
                    timings += series("Latency", [Way(loop.name, lambda: 0, times_ms=times_ms)])
                    figures.append(Figure(group=loop.name, name="results per second", value=rate, unit="1/s"))
    return Section(title="Slots", missing=None, notes=_NOTES, series=timings, figures=figures)


@contextmanager
def _stack(slots: int) -> Iterator[RunningStack]:
    cpus = os.sched_getaffinity(0)
    try:
        if slots == 1:
            os.sched_setaffinity(0, {min(cpus)})  # the stack inherits it
        with running_stack(SLOTS=str(slots)) as stack:
            os.sched_setaffinity(0, cpus)
            yield stack
    finally:
        os.sched_setaffinity(0, cpus)


@dataclass(frozen=True, slots=True)
class _Loop:
    """Closed-loop clients, each with a kept connection."""

    name: str
    endpoint: Endpoint

    def measure(self, once: Once, in_flight: int, scale: Scale, tally: Tally) -> tuple[list[float], float]:
        """Return the milliseconds of each result, and the results per second."""
        times_ms: list[float] = []
        with ApiClient(self.endpoint) as client:
            self._once(once, client, [], tally)  # not counted: first requests import what they need
        begun = time.monotonic()
        end = begun + scale.slots_secs

        def work() -> None:
            with ApiClient(self.endpoint) as client:
                while time.monotonic() < end:
                    self._once(once, client, times_ms, tally)

        with ThreadPoolExecutor(in_flight) as threads:
            for _ in range(in_flight):
                threads.submit(work)
        return times_ms, round(len(times_ms) / (time.monotonic() - begun), 1)

    def _once(self, once: Once, client: ApiClient, times_ms: list[float], tally: Tally) -> None:
        begun_ns = time.perf_counter_ns()
        try:
            once(client)
        except FAILURES as error:
            tally.fail(f"{self.name}: {type(error).__name__}: {error}")
        else:
            times_ms.append((time.perf_counter_ns() - begun_ns) / 1e6)
            tally.right()


def _synchronous(client: ApiClient) -> None:
    program = python_program()
    check_result(parsed(client.submit(body_of(program), wait=True)), program.expected)


def _polled(client: ApiClient) -> None:
    program = python_program()
    submission_id = parsed(client.submit(body_of(program), wait=False))["id"]
    check_result(client.result(submission_id, _LONG_POLL_SECS), program.expected)


@dataclass(slots=True)
class _Webhooks:
    hooks: HookServer
    receipts: dict[str, Receipt] = field(default_factory=dict)
    arrived: dict[str, Event] = field(default_factory=dict)

    def add_endpoint(self, stack: RunningStack, api_key: str) -> None:
        """Through the API, as a customer would."""
        with stack.local.client(api_key) as client:
            answer = client.post("/api/webhooks", json={"url": self.hooks.url_of(_PATH)})
        answer.raise_for_status()
        self.hooks.expect({_PATH: answer.json()["secret"]}, frozenset())
        self.hooks.told = self._note

    def once(self, client: ApiClient) -> None:
        """Submit, then wait for the webhook. It may come before the answer to the submission."""
        program = python_program()
        submission_id = parsed(client.submit(body_of(program), wait=False))["id"]
        if not self.arrived.setdefault(submission_id, Event()).wait(_PATIENCE_SECS):
            raise TimeoutError(f"no webhook of {submission_id} in {_PATIENCE_SECS} s")
        receipt = self.receipts[submission_id]
        if not receipt.is_genuine:
            raise ValueError(f"the webhook of {submission_id} is not genuine")
        check_result(json.loads(receipt.body), program.expected)

    def _note(self, receipt: Receipt) -> None:
        self.receipts[receipt.webhook_id] = receipt
        self.arrived.setdefault(receipt.webhook_id, Event()).set()
