"""Groups of calls in a kill run of their own: calls with a hundred keys while processes of the stack are killed.

Each call must end as passed or superseded by a later call of its key, the last call of each key must run, and no key
may have more unfinished runs than `at_most`: as the service says, and by the times of the programs themselves.
"""

import hashlib
import hmac
import itertools
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from functions.checks.runs.run import Run, RunStatus
from functions.checks.runs.store import RunStore
from functions.clock import from_rfc3339
from tests.system.kill_run.kills_in_turn import KillsInTurn
from tests.system.local_stack import LocalStack

PROJECT_ID = "grouped-calls"
_SENDERS = 6
_AGAIN_SECS = 0.2
_LOOK_SECS = 0.3
_BUSY = frozenset({429, 500, 503, 504})
_PROGRAM = "import json, sys\nprint(json.load(sys.stdin)['number'])\n"
_DEBOUNCED: dict[str, Any] = {"key": "$.ref", "debounce_secs": 2, "most_secs": 6, "at_most": 1}
_MANY: dict[str, Any] = {**_DEBOUNCED, "at_most": 100}
"""No run waits for another, so how late it leaves is how late it was woken."""
_IN_ORDER: dict[str, Any] = {"key": "$.ref", "at_most": 2}
_CHECKS = (_IN_ORDER, *4 * [_DEBOUNCED], *5 * [_MANY])
"""Of ten keys, by their number: one of the check whose calls all run, in order."""
QUIET_SECS = 600
"""Limit for the time in which calls still wait or run."""
LATE_SECS = 2


@dataclass(slots=True)
class Report:
    """The result. `problems`: what was lost, came twice or is wrong. `unfinished`: the most of a key, by `at_most`.

    `late_secs`: how late each run left its group, of those that wait for no other run.
    """

    calls: int
    keys: int
    kills: Counter[str]
    runs: Counter[str]
    unfinished: dict[int, int]
    late_secs: list[float]
    secs: float
    problems: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """One line of counts."""
        kills = ", ".join(f"{victim} {count}" for victim, count in sorted(self.kills.items()))
        runs = ", ".join(f"{status} {count}" for status, count in sorted(self.runs.items()))
        late = [each for each in self.late_secs if each > LATE_SECS]
        return (
            f"grouped calls: {self.calls} calls of {self.keys} keys, {self.secs:.0f} s, kills: {kills}; runs: {runs}; "
            f"most unfinished of a key {self.unfinished} by at_most; later than {LATE_SECS} s: {len(late)} of "
            f"{len(self.late_secs)}, the latest {max(self.late_secs, default=0):.1f} s; "
            f"lost or wrong {len(self.problems)}"
        )


def grouped_calls_run(stack: LocalStack, calls: int, keys: int, kills: int, seed: int) -> Report:
    """Run on a stack that is not started yet. Stop the stack in any case."""
    began = time.monotonic()
    with ExitStack() as opened:
        opened.callback(stack.close)
        stack.start()
        client = opened.enter_context(stack.client(stack.add_project(PROJECT_ID), timeout_secs=35))
        sent = _Calls(client, calls, keys)
        killer = KillsInTurn(stack, lambda: sent.count / calls, kills, seed)
        opened.callback(sent.end)
        opened.callback(killer.end)
        sent.start()
        killer.start()
        sent.wait()
        killer.end()
        store = RunStore("rustbox-local-ChecksTable", stack.aws("dynamodb"))
        report = sent.report(store, killer.kills, began)
        if (code := stack.stop()) != 0:
            report.problems.append(f"the stack stopped with {code}")
    return report


class _Calls:
    """The senders of calls, and a look at the groups meanwhile."""

    def __init__(self, client: httpx.Client, calls: int, keys: int) -> None:
        self.calls, self.keys, self.count = calls, keys, 0
        self._client = client
        self._checks = {group["at_most"]: self._check(group) for group in (_DEBOUNCED, _IN_ORDER, _MANY)}
        self._numbers = itertools.count()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._accepted: dict[str, int] = {}
        self._unfinished: Counter[int] = Counter()
        self._problems: list[str] = []
        self._senders = [threading.Thread(target=self._send_all, daemon=True) for _ in range(_SENDERS)]
        self._observer = threading.Thread(target=self._look_often, daemon=True)

    def start(self) -> None:
        for thread in (*self._senders, self._observer):
            thread.start()

    def end(self) -> None:
        self._over.set()
        for thread in (*self._senders, self._observer):
            thread.join()

    def wait(self) -> None:
        """Wait until all calls were accepted, and none waits or runs."""
        for thread in self._senders:
            thread.join()
        until = time.monotonic() + QUIET_SECS
        while time.monotonic() < until:
            with suppress(httpx.HTTPError):
                if not any(self._groups(path) for path, _ in self._checks.values()):
                    return
            time.sleep(_AGAIN_SECS)
        self._problems.append("calls still wait or run")

    def report(self, store: RunStore, kills: Counter[str], began: float) -> Report:
        """Compare calls and runs."""
        problems, late = self._problems, list[float]()
        runs = {
            at_most: store.since(PROJECT_ID, path.rpartition("/")[2], 0, 1_000_000)
            for at_most, (path, _) in self._checks.items()
        }
        found = {run.run_id: run for each in runs.values() for run in each}
        missing, more = self._accepted.keys() - found.keys(), len(found) - self.calls
        problems += [f"the call {self._accepted[run_id]} has no run" for run_id in missing]
        if more:
            problems.append(f"{more} more runs than calls")
        for at_most, each in runs.items():
            by_key: defaultdict[str, list[Run]] = defaultdict(list)
            for run in each:
                by_key[run.group.key if run.group else ""].append(run)
            for key, of_key in by_key.items():
                problems += [
                    f"{key}: {text}" for text in _problems(of_key, at_most, is_ordered=at_most == _IN_ORDER["at_most"])
                ]
                late += _late(of_key) if at_most == _MANY["at_most"] else ()
            if self._unfinished[at_most] > at_most:
                problems.append(f"{self._unfinished[at_most]} runs of a key were unfinished, of {at_most}")
        statuses = Counter(run.status.value for run in found.values())
        most = {at_most: self._unfinished[at_most] for at_most in (_DEBOUNCED["at_most"], _IN_ORDER["at_most"])}
        return Report(self.calls, self.keys, kills, statuses, most, late, time.monotonic() - began, problems)

    def _check(self, group: Mapping[str, Any]) -> tuple[str, bytes]:
        body = {"name": f"at most {group['at_most']}", "language": "python", "code": _PROGRAM, "group": group}
        path = f"/api/checks/{self._made('/api/checks', {**body, 'retries': 3})['id']}"
        return path, self._made(f"{path}/secret", {"verify": "github"})["secret"].encode()

    def _made(self, path: str, body: dict[str, Any]) -> Any:
        return self._client.post(path, json=body).raise_for_status().json()

    def _groups(self, path: str) -> Any:
        return self._client.get(f"{path}/groups", params={"limit": 100}).raise_for_status().json()["items"]

    def _look_often(self) -> None:
        while not self._over.wait(_LOOK_SECS):
            with suppress(httpx.HTTPError):
                for at_most, (path, _) in self._checks.items():
                    lengths = [len(group["unfinished"]) for group in self._groups(path)]
                    self._unfinished[at_most] = max(self._unfinished[at_most], *lengths, 0)

    def _send_all(self) -> None:
        for number in iter(lambda: next(self._numbers), None):
            if number >= self.calls:
                return
            self._send(number)

    def _send(self, number: int) -> None:
        """Call until the call is accepted."""
        key = number % self.keys
        path, secret = self._checks[_CHECKS[key % len(_CHECKS)]["at_most"]]
        body = json.dumps({"ref": f"key-{key}", "number": number}).encode()
        headers = {
            "x-hub-signature-256": "sha256=" + hmac.digest(secret, body, hashlib.sha256).hex(),
            "x-github-delivery": f"call-{number}",
            "x-github-event": "push",
        }
        while not self._over.is_set():
            with suppress(httpx.TransportError):
                answer = self._client.post(f"{path}/events", content=body, headers=headers)
                if answer.status_code == httpx.codes.ACCEPTED:
                    with self._lock:
                        self._accepted[answer.json()["id"]] = number
                        self.count += 1
                    return
                if answer.status_code not in _BUSY:
                    self._problems.append(f"call {number} was answered {answer.status_code} {answer.text[:200]}")
                    return
            self._over.wait(_AGAIN_SECS)


def _problems(runs: list[Run], at_most: int, *, is_ordered: bool) -> Iterable[str]:
    """Yield what is wrong with the runs of a key."""
    ids = {run.run_id: run for run in runs}
    for run in runs:
        if run.status is RunStatus.SUPERSEDED:
            if is_ordered or run.superseded_by not in ids:
                yield f"run {run.run_id} is superseded by {run.superseded_by}"
        elif run.status not in {RunStatus.PASSED, RunStatus.FLAKY}:
            yield f"run {run.run_id} is {run.status.value}: {run.reason}"
    last = max(runs, key=lambda run: run.scheduled_ms)
    if (
        len(runs) > 1
        and last.status is RunStatus.SUPERSEDED
        and ids[last.superseded_by or ""].scheduled_ms < last.scheduled_ms - 5_000
    ):
        yield f"the last call, {last.run_id}, did not run"
    times = [
        (from_rfc3339(run.started_at), from_rfc3339(run.completed_at))
        for run in runs
        if run.started_at and run.completed_at
    ]
    changes = sorted(
        [(start, 1) for start, _ in times] + [(end, -1) for _, end in times], key=lambda each: (each[0], each[1])
    )
    most = max(itertools.accumulate(change for _, change in changes), default=0)
    if most > at_most:
        yield f"{most} programs ran at a time, of {at_most}"


def _late(runs: list[Run]) -> Iterable[float]:
    """Yield how much later than its calls allowed each run left its group, in seconds."""
    superseded: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        superseded[run.superseded_by or ""].append(run)
    for run in superseded[""]:
        burst = [run]
        for each in burst:  # it grows
            burst += superseded[each.run_id]
        first_ms, last_ms = (pick(each.scheduled_ms for each in burst) for pick in (min, max))
        ends_ms = min(last_ms + 1_000 * _MANY["debounce_secs"], first_ms + 1_000 * _MANY["most_secs"])
        if run.group is not None:
            yield (run.group.from_ms - ends_ms) / 1_000
