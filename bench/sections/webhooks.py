"""Webhooks of one project with 20 endpoints, of which two never answer: how long the other 18 wait."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from bench.answers import Tally
from bench.finished_runs import FinishedRuns
from bench.hook_server import HookServer
from bench.processes import cpu_secs
from bench.report import Figure, Section
from bench.rounds import Way, series
from bench.running_stack import running_stack
from bench.scale import Scale

ENDPOINTS = 20
HANGING = 2
_WINDOW = 3
"""Runs whose webhooks are under way together while the rate is looked for."""
_SHARE = 0.7
"""Of that rate, for the part that is timed."""
_PATIENCE_SECS = 60
_NOTES = [
    f"One project with {ENDPOINTS} endpoints on loopback. {HANGING} take each request and never answer: 15 s each.",
    "A run's row is put and its completion sent as a runner would: webhooks are measured, and no program runs.",
    "Latency: from that completion's being queued, a little before the commit, to the last byte at a receiver.",
    f"The rate is looked for first, with {_WINDOW} runs under way at any time; then runs end evenly, at {_SHARE:.0%}.",
    "Each request is verified by the standardwebhooks package as it comes; each run must come once to each of the 18.",
]


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Starts a stack of its own."""
    runs = max(scale.deliveries // ENDPOINTS, 2)
    with running_stack() as stack, HookServer() as hooks, stack.local.client() as client:
        bench = _Bench(hooks, FinishedRuns(stack.local), time.monotonic() + scale.delivery_secs)
        bench.add_endpoints(client)
        used_before = cpu_secs(stack.pids())
        found = bench.find_rate(max(runs // 5, 1))
        rate = found * _SHARE
        timed = bench.at_rate(runs - runs // 5, rate)
        cpu_ms = 1000 * (cpu_secs(stack.pids()) - used_before) / (len(bench.finished_at) * len(bench.well))
        way = Way(f"{ENDPOINTS - HANGING} endpoints that answer", lambda: 0, times_ms=bench.latencies_ms(timed))
        figures = bench.figures(found, rate, cpu_ms, _states(client, bench))
        bench.check(tally)
    return Section(title="Webhooks", missing=None, notes=_NOTES, series=series("Latency", [way]), figures=figures)


@dataclass(slots=True)
class _Bench:
    hooks: HookServer
    runs: FinishedRuns
    end: float
    well: list[str] = field(default_factory=list)
    hanging: list[str] = field(default_factory=list)
    endpoint_ids: dict[str, str] = field(default_factory=dict)
    finished_at: dict[str, float] = field(default_factory=dict)
    _read: int = 0
    _arrived: Counter[str] = field(default_factory=Counter)

    def add_endpoints(self, client: httpx.Client) -> None:
        """Through the API, as a customer would."""
        secrets = {}
        for number in range(ENDPOINTS):
            path = f"/{'hangs' if number < HANGING else 'answers'}/{number}"
            answer = client.post("/api/webhooks", json={"url": self.hooks.url_of(path)})
            answer.raise_for_status()
            secrets[path], self.endpoint_ids[path] = answer.json()["secret"], answer.json()["id"]
            (self.hanging if number < HANGING else self.well).append(path)
        self.hooks.expect(secrets, frozenset(self.hanging))

    def find_rate(self, runs: int) -> float:
        """Deliveries a second to the endpoints that answer, with _WINDOW runs under way at any time."""
        begun = time.monotonic()
        mine = [self._finish_within(_WINDOW) for number in range(runs) if number == 0 or time.monotonic() < self.end]
        self._wait_for(mine)
        return len(mine) * len(self.well) / (time.monotonic() - begun)

    def at_rate(self, runs: int, rate: float) -> list[str]:
        """End runs evenly, whether or not the webhooks keep up; return their ids when all have arrived."""
        between_secs, begun = len(self.well) / rate, time.monotonic()
        mine: list[str] = []
        for number in range(runs):
            time.sleep(max(0.0, begun + number * between_secs - time.monotonic()))
            if mine and time.monotonic() > self.end:
                break
            mine.append(self._finish())
        self._wait_for(mine)
        return mine

    def latencies_ms(self, run_ids: list[str]) -> list[float]:
        """Of all first requests of these runs to the endpoints that answer."""
        wanted, seen, found = set(run_ids), set[tuple[str, str]](), []
        for receipt in self.hooks.receipts:
            key = (receipt.path, receipt.webhook_id)
            if receipt.webhook_id in wanted and receipt.path not in self.hanging and key not in seen:
                seen.add(key)
                found.append((receipt.at - self.finished_at[receipt.webhook_id]) * 1000)
        return found

    def check(self, tally: Tally) -> None:
        """Each request is genuine and about a run of ours; to each endpoint that answers, each run came once."""
        counts = Counter((receipt.path, receipt.webhook_id) for receipt in self.hooks.receipts)
        for receipt in self.hooks.receipts:
            if not receipt.is_genuine or json.loads(receipt.body)["id"] not in self.finished_at:
                tally.fail(f"a request to {receipt.path} is not genuine")
        for path in self.well:
            for run_id in self.finished_at:
                if counts[path, run_id] == 1:
                    tally.right()
                else:
                    tally.fail(f"{path} got {run_id} {counts[path, run_id]} times")

    def figures(self, found: float, rate: float, cpu_ms: float, states: Counter[str]) -> list[Figure]:
        """The sustained rate, and the requests to endpoints that never answer."""
        requests = sum(receipt.path in self.hanging for receipt in self.hooks.receipts)
        most = max(self.hooks.most_at_once[path] for path in self.hanging)
        rows: dict[str, dict[str, tuple[float, str]]] = {
            f"{len(self.well)} endpoints that answer": {
                "deliveries": (len(self.finished_at) * len(self.well), ""),
                "sustained": (round(found, 1), "1/s"),
                "timed at": (round(rate, 1), "1/s"),
                "stack CPU per delivery": (round(cpu_ms, 1), "ms"),
            },
            f"{len(self.hanging)} endpoints that hang": {
                "owed": (len(self.finished_at) * len(self.hanging), ""),
                "requests sent": (requests, ""),
                "most at once to one": (most, ""),
                "waiting for their turn": (states["pending"], ""),
                "being sent": (states["sending"], ""),
                "to be tried again": (states["retrying"], ""),
            },
        }
        return [
            Figure(group=group, name=name, value=value, unit=unit)
            for group, numbers in rows.items()
            for name, (value, unit) in numbers.items()
        ]

    def _finish(self) -> str:
        run_id, at = self.runs.finish_one()
        self.finished_at[run_id] = at
        return run_id

    def _finish_within(self, window: int) -> str:
        deadline = time.monotonic() + _PATIENCE_SECS
        while len(self._under_way()) >= window and time.monotonic() < deadline:
            time.sleep(0.005)
        return self._finish()

    def _wait_for(self, run_ids: list[str]) -> None:
        """Wait for all deliveries. `check` reports those that are missing long after the last arrival."""
        wanted, seen, quiet_since = set(run_ids), -1, time.monotonic()
        while wanted & self._under_way():
            if self._read != seen:
                seen, quiet_since = self._read, time.monotonic()
            if time.monotonic() - quiet_since > _PATIENCE_SECS:
                return
            time.sleep(0.02)

    def _under_way(self) -> set[str]:
        """Runs that have not come to all the endpoints that answer."""
        receipts = self.hooks.receipts
        while self._read < len(receipts):
            receipt = receipts[self._read]
            self._read += 1
            self._arrived[receipt.webhook_id] += receipt.path not in self.hanging
        return {run_id for run_id in self.finished_at if self._arrived[run_id] < len(self.well)}


def _states(client: httpx.Client, bench: _Bench) -> Counter[str]:
    """States of what the hanging endpoints are owed, as the API shows them."""
    states: Counter[str] = Counter()
    for path in bench.hanging:
        cursor: str | None = ""
        while cursor is not None:
            query: dict[str, Any] = {"endpoint_id": bench.endpoint_ids[path], "limit": 100}
            answer = client.get("/api/deliveries", params=query | ({"cursor": cursor} if cursor else {}))
            answer.raise_for_status()
            states.update(item["state"] for item in answer.json()["items"])
            cursor = answer.json()["next_cursor"]
    return states
