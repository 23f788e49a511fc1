"""Deliveries whose bodies programs write, beside plain ones: latency, rates, and neighbours of a hostile program."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from bench.answers import Tally
from bench.finished_runs import FinishedRuns
from bench.hook_server import HookServer
from bench.processes import cpu_secs
from bench.report import Figure, Section
from bench.rounds import Way, series
from bench.running_stack import RunningStack, running_stack
from bench.scale import Scale

ENDPOINTS = 20
_WINDOW = 3
_PATIENCE_SECS = 60
_PROGRAM = "import json, sys\nprint(json.dumps({'body': {'was': json.load(sys.stdin)['type']}}))"
_ENDLESS = "while True: pass"
_NOTES = [
    "One project, endpoints on loopback. A Python program writes `{'was': type}`; each body is verified and compared.",
    "Latency: from the completion's being queued to the last byte at the receiver, one run at a time, ways in turn.",
    f"Existing events: runs whose completion is sent, each to {ENDPOINTS} endpoints, {_WINDOW} events under way.",
    f"New events: real programs, {_WINDOW} under way, one endpoint.",
    "Beside a hostile one: the plain endpoint again, while another endpoint's program never ends (4 s of CPU each).",
]


def run(scale: Scale, tally: Tally, _peer_ways: Sequence[Way]) -> Section:
    """Starts stacks of its own: `record` keeps the endpoints of such runs for a minute, so each part has its own."""
    rounds, ways, rates = max(scale.deliveries // 100, 8), list[Way](), dict[str, tuple[float, float]]()
    for beside in ("", " beside an endless transform"):
        with _bench(tally) as bench:
            plain, written = bench.add("/plain"), bench.add("/written", _PROGRAM)
            if beside:
                bench.add("/endless", _ENDLESS)
            ways.append(bench.latencies(f"plain{beside}", [plain, written], plain, rounds))
            ways.append(bench.taken(f"with a transform{beside}", written))
    end = time.monotonic() + scale.delivery_secs
    with _bench(tally) as bench:
        many = [bench.add(f"/many/{number}", _PROGRAM) for number in range(ENDPOINTS)]
        rates["existing events"] = bench.rate(max(scale.deliveries // ENDPOINTS // 5, 5), many, bench.finish, end)
    with _bench(tally) as bench:
        one = [bench.add("/written", _PROGRAM)]
        rates["new events"] = bench.rate(max(scale.deliveries // 20, 20), one, bench.run_program, end)
    figures = [
        Figure(group=group, name=name, value=value, unit=unit)
        for group, values in rates.items()
        for name, value, unit in (("sustained", values[0], "1/s"), ("stack CPU per delivery", values[1], "ms"))
    ]
    return Section(title="Transforms", missing=None, notes=_NOTES, series=series("Latency", ways), figures=figures)


@contextmanager
def _bench(tally: Tally) -> Iterator["_Bench"]:
    with running_stack() as stack, HookServer() as hooks, stack.local.client() as client:
        yield _Bench(stack, hooks, client, tally, FinishedRuns(stack.local))


@dataclass(slots=True)
class _Bench:
    stack: RunningStack
    hooks: HookServer
    client: httpx.Client
    tally: Tally
    runs: FinishedRuns
    ids: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    times_ms: dict[str, list[float]] = field(default_factory=dict)

    def add(self, path: str, code: str | None = None) -> str:
        """Make an endpoint; return its path."""
        transform = {} if code is None else {"transform": {"language": "python", "code": code}}
        answer = self.client.post("/api/webhooks", json={"url": self.hooks.url_of(path), **transform})
        answer.raise_for_status()
        self.ids[path], self.secrets[path] = answer.json()["id"], answer.json()["secret"]
        self.hooks.expect(self.secrets, frozenset())
        return path

    def finish(self) -> tuple[str, float]:
        return self.runs.finish_one()

    def run_program(self) -> tuple[str, float]:
        """Submit a program; return its id, and when."""
        at = time.time()
        answer = self.client.post("/api/submit", json={"language": "python", "code": "print(1)"})
        answer.raise_for_status()
        return answer.json()["id"], at

    def latencies(self, name: str, paths: list[str], path: str, rounds: int) -> Way:
        """Time runs one after the other; the times of `path` are the way's, and `taken` gets those of the others."""
        self.times_ms = {each: [] for each in paths}
        for number in range(rounds + 1):
            run_id, at = self.finish()
            arrived = self._arrived(run_id, paths)
            for each, came in arrived.items() if number else ():
                self.times_ms[each].append((came - at) * 1000)
        return self.taken(name, path)

    def taken(self, name: str, path: str) -> Way:
        return Way(name, lambda: 0, times_ms=self.times_ms[path])

    def rate(
        self, events: int, paths: list[str], begin: Callable[[], tuple[str, float]], end: float
    ) -> tuple[float, float]:
        """Return deliveries a second, with _WINDOW events under way, and CPU of the stack for each in ms."""
        self._arrived(begin()[0], paths)  # the caches are filled
        used, begun, mine, done = cpu_secs(self.stack.pids()), time.monotonic(), list[str](), 0
        while done < events and (mine or time.monotonic() < end):
            while len(mine) < min(_WINDOW, events - done) and time.monotonic() < end:
                mine.append(begin()[0])
            self._arrived(mine.pop(0), paths)
            done += 1
        secs, count = time.monotonic() - begun, done * len(paths)
        return round(count / secs, 1), round(1000 * (cpu_secs(self.stack.pids()) - used) / max(count, 1), 1)

    def _arrived(self, run_id: str, paths: list[str]) -> dict[str, float]:
        """Wait until a run has come to these paths; return when, and check what came."""
        until, found = time.monotonic() + _PATIENCE_SECS, dict[str, float]()
        while len(found) < len(paths) and time.monotonic() < until:
            for receipt in reversed(self.hooks.receipts[-40 * ENDPOINTS :]):
                if receipt.webhook_id == run_id and receipt.path in paths and receipt.path not in found:
                    found[receipt.path] = receipt.at
                    self._check(receipt.path, receipt.body, is_genuine=receipt.is_genuine)
            time.sleep(0.001)
        for path in set(paths) - set(found):
            self.tally.fail(f"{path} did not get {run_id}")
        return found

    def _check(self, path: str, body: bytes, *, is_genuine: bool) -> None:
        values = json.loads(body)
        if is_genuine and (path == "/plain" or values == {"was": "submission.completed"}):
            self.tally.right()
        else:
            self.tally.fail(f"{path} got {body[:100]!r}")
