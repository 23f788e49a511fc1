"""Effect of a hostile neighbour on a project: verdicts, latency and deliveries, alone and beside each attack."""

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import httpx

from bench.answers import Expected, Tally, check_result
from bench.api_client import ApiClient, Endpoint, body_of, parsed
from bench.attacks import HANGING_ENDPOINTS, PROJECT_ID, Attacker
from bench.hook_server import HookServer
from bench.report import Figure, Section
from bench.rounds import FAILURES, Way, p95
from bench.running_stack import running_stack
from bench.scale import Scale
from bench.sources import Program, new_number
from functions.clock import from_rfc3339

_ALONE = "alone"
_VICTIM_PATH = "/victim"
_ADDENDS = 2_000_000
"""About a quarter of a second of CPU time."""
_PATIENCE_SECS = 30
_PAUSE_SECS = 0.2
"""After a wrong answer."""
_SWEEP_SECS = "5"
_NOTES = [
    "The victim: one client that sends one Python program after the other (`wait=true`). Each computes for 0.2 s.",
    "Each run of the victim sends a webhook. After each it lists its last result: the short call.",
    "The attacker: another project that keeps up one attack of `attacks.py`, `front_floods.py` or `kernel_floods.py`.",
    "A wrong answer is any answer but 200 with the right output. Ratios divide by the same figure of the victim alone.",
    "Delivery: from the end of a run to the last byte of its webhook at the victim's receiver.",
    "The attacks on webhooks add up: each begins while the deliveries of those before it are still owed.",
]


@dataclass(slots=True)
class _Sample:
    """The victim's requests in one situation."""

    name: str
    asked: int = 0
    times_ms: list[float] = field(default_factory=list)
    short_ms: list[float] = field(default_factory=list)
    completed_ms: dict[str, int] = field(default_factory=dict)
    deliveries_ms: list[float] = field(default_factory=list)


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Starts a stack of its own."""
    with running_stack(SWEEP_SECS=_SWEEP_SECS) as stack, HookServer() as hooks:
        victim_key = stack.local.add_project("victim")
        attacker_key = stack.local.add_project(PROJECT_ID)
        attacker = Attacker(stack.local, attacker_key, scale, lambda number: hooks.url_of(_hang_path(number)))
        with stack.local.client(victim_key) as client:
            _add_endpoint(client, hooks)
        bench = _Bench(Endpoint(stack.local.port, victim_key), hooks, scale.neighbour_secs, tally)
        bench.measure("")  # fills pools and caches; counted nowhere
        samples = [replace(bench, secs=2 * bench.secs).measure(_ALONE)]  # every ratio divides by these
        for name, attack in attacker.attacks().items():
            sys.stderr.write(f"bench: beside {name}\n")
            with attack():
                samples.append(bench.measure(name))
    figures = [figure for sample in samples for figure in _figures(sample, samples[0])]
    return Section(title="Neighbours", missing=None, notes=_NOTES, series=[], figures=figures)


@dataclass(frozen=True, slots=True)
class _Bench:
    endpoint: Endpoint
    hooks: HookServer
    secs: float
    tally: Tally

    def measure(self, name: str) -> _Sample:
        """Send the victim's requests for a while, then wait for their webhooks."""
        sample, end = _Sample(name), time.monotonic() + self.secs
        with ApiClient(self.endpoint) as client:
            while not sample.asked or time.monotonic() < end:
                sample.asked += 1
                try:
                    _ask_once(client, sample)
                except FAILURES as error:
                    self.tally.fail(f"beside {name or 'nothing'}: {error}")
                    time.sleep(_PAUSE_SECS)
                else:
                    self.tally.right()
        self._await_deliveries(sample)
        return sample

    def _await_deliveries(self, sample: _Sample) -> None:
        deadline = time.monotonic() + _PATIENCE_SECS
        while (missing := set(sample.completed_ms) - self._arrived().keys()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for run_id in missing:
            self.tally.fail(f"beside {sample.name or 'nothing'}: no webhook of {run_id} in {_PATIENCE_SECS} s")
        arrived = self._arrived()
        waited = (arrived[run_id] - completed for run_id, completed in sample.completed_ms.items() if run_id in arrived)
        # The receiver's clock is finer than the time stamp, which may be half a millisecond ahead.
        sample.deliveries_ms = [max(0.0, one_ms) for one_ms in waited]

    def _arrived(self) -> dict[str, float]:
        """When each webhook of the victim came first, in milliseconds since the epoch."""
        found: dict[str, float] = {}
        for receipt in list(self.hooks.receipts):
            if receipt.path == _VICTIM_PATH:
                found.setdefault(receipt.webhook_id, receipt.at * 1000)
        return found


def _ask_once(client: ApiClient, sample: _Sample) -> None:
    program = _victim_program()
    body = body_of(program)
    begun_ns = time.perf_counter_ns()
    result = parsed(client.submit(body, wait=True))
    elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
    check_result(result, program.expected)
    sample.times_ms.append(elapsed_ms)
    begun_ns = time.perf_counter_ns()
    client.results(1)
    sample.short_ms.append((time.perf_counter_ns() - begun_ns) / 1e6)
    sample.completed_ms[result["id"]] = from_rfc3339(result["timestamps"]["completed_at"])


def _victim_program() -> Program:
    number = new_number()
    code = f"total = {number}\nfor addend in range({_ADDENDS}):\n    total += addend\nprint(total)\n"
    return Program("python", code, Expected(f"{number + _ADDENDS * (_ADDENDS - 1) // 2}\n"))


def _add_endpoint(client: httpx.Client, hooks: HookServer) -> None:
    answer = client.post("/api/webhooks", json={"url": hooks.url_of(_VICTIM_PATH)})
    answer.raise_for_status()
    hanging = frozenset(_hang_path(number) for number in range(HANGING_ENDPOINTS))
    hooks.expect({_VICTIM_PATH: answer.json()["secret"]}, hanging)


def _hang_path(number: int) -> str:
    return f"/hangs/{number}"


def _figures(sample: _Sample, alone: _Sample) -> list[Figure]:
    rows: dict[str, tuple[float | None, str]] = {
        "answers": (sample.asked, ""),
        "wrong": (sample.asked - len(sample.times_ms), ""),
    }
    for name, times, base in (
        ("answer", sample.times_ms, alone.times_ms),
        ("short call", sample.short_ms, alone.short_ms),
        ("delivery", sample.deliveries_ms, alone.deliveries_ms),
    ):
        for kind, of in (("median", statistics.median), ("p95", p95)):
            value = of(times) if times else None
            rows[f"{name} {kind}"] = (None if value is None else round(value, 1), "ms")
            ratio = round(value / of(base), 2) if value is not None and base else None
            rows[f"{name} {kind}, ratio"] = (ratio, "x")
    return [Figure(group=sample.name, name=name, value=value, unit=unit) for name, (value, unit) in rows.items()]
