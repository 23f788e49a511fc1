"""Signed calls in a kill run of their own: each event is sent three times while processes of the stack are killed.

Each event must have one run, and each run one delivery. A delivery may be sent twice, with the same webhook-id, where
its sender died before it noted the first.
"""

import hashlib
import hmac
import itertools
import json
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from bench.hook_server import HookServer
from tests.system.kill_run.kills_in_turn import KillsInTurn
from tests.system.local_stack import LocalStack

PROJECT_ID = "signed-calls"
TIMES = 3
_SENDERS = 6
_MOST_OPEN = 200
"""Events that were accepted and whose webhook has not come: more would only wait in the queue."""
_THIRD_AFTER = 20
_AGAIN_SECS = 0.2
_POLL_SECS = 0.05
_BUSY = frozenset({429, 500, 503, 504})
_PATH = "/answers/0"
_PROGRAM = "import json, sys\nprint(json.load(sys.stdin)['after'])\n"
QUIET_SECS = 600
"""Limit for the time without a webhook."""


@dataclass(slots=True)
class Report:
    """The result. `problems`: what was lost, came twice or is wrong."""

    events: int
    calls: int
    kills: Counter[str]
    runs: Counter[str]
    repeated_sends: int
    secs: float
    problems: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """One line of counts."""
        kills = ", ".join(f"{victim} {count}" for victim, count in sorted(self.kills.items()))
        runs = ", ".join(f"{status} {count}" for status, count in sorted(self.runs.items()))
        return (
            f"signed calls: {self.events} events in {self.calls} calls, {self.secs:.0f} s, kills: {kills}; "
            f"runs: {runs}; repeated sends of a webhook {self.repeated_sends}; lost or wrong {len(self.problems)}"
        )


def signed_calls_run(stack: LocalStack, events: int, kills: int, seed: int) -> Report:
    """Run on a stack that is not started yet. Stop the stack in any case."""
    began = time.monotonic()
    with ExitStack() as opened:
        opened.callback(stack.close)
        stack.start()
        hooks = opened.enter_context(HookServer())
        client = opened.enter_context(stack.client(stack.add_project(PROJECT_ID), timeout_secs=35))
        calls = _Calls(client, hooks, events)
        killer = KillsInTurn(stack, lambda: calls.arrived / calls.events, kills, seed)
        opened.callback(calls.end)
        opened.callback(killer.end)
        calls.start()
        killer.start()
        calls.wait()
        killer.end()
        report = calls.report(killer.kills, began)
        if (code := stack.stop()) != 0:
            report.problems.append(f"the stack stopped with {code}")
    return report


class _Calls:
    """The senders of calls, and the receiver of the webhooks about their runs."""

    def __init__(self, client: httpx.Client, hooks: HookServer, events: int) -> None:
        self.events = events
        self._client = client
        self._hooks = hooks
        endpoint = self._made("/api/webhooks", {"url": hooks.url_of(_PATH), "events": ["check.run.completed"]})
        hooks.expect({_PATH: endpoint["secret"]}, frozenset())
        check = {"name": "pushed", "language": "python", "code": _PROGRAM, "retries": 3}
        self._path = f"/api/checks/{self._made('/api/checks', check)['id']}"
        self._secret: bytes = self._made(f"{self._path}/secret", {"verify": "github"})["secret"].encode()
        self._numbers = itertools.count()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._send_all, daemon=True) for _ in range(_SENDERS)]
        self._lock = threading.Lock()
        self._runs: defaultdict[int, set[str]] = defaultdict(set)
        self._count = 0
        self._problems: list[str] = []

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def arrived(self) -> int:
        """Webhooks that came, each once."""
        return len({receipt.webhook_id for receipt in list(self._hooks.receipts)})

    def wait(self) -> None:
        """Wait until all calls were answered and their webhooks came, or none has come for long."""
        seen, since = -1, time.monotonic()
        while self.arrived < self.events or any(thread.is_alive() for thread in self._threads):
            if (arrived := self.arrived) != seen:
                seen, since = arrived, time.monotonic()
            if time.monotonic() - since > QUIET_SECS:
                return
            time.sleep(_AGAIN_SECS)

    def report(self, kills: Counter[str], began: float) -> Report:
        """Compare calls, runs and webhooks."""
        runs = {run["id"]: run["status"] for run in self._all_runs()}
        receipts = [(receipt, json.loads(receipt.body)["run_id"]) for receipt in self._hooks.receipts]
        ids: defaultdict[str, set[str]] = defaultdict(set)
        for receipt, run_id in receipts:
            ids[run_id].add(receipt.webhook_id)
        problems = self._problems
        problems += [f"a webhook of {run_id} is not genuine" for receipt, run_id in receipts if not receipt.is_genuine]
        for number in range(self.events):
            found = self._runs.get(number, set())
            if len(found) != 1:
                problems.append(f"event {number} has the runs {sorted(found)}")
            for run_id in found:
                if runs.get(run_id) not in {"passed", "flaky"} or len(ids[run_id]) != 1:
                    problems.append(f"run {run_id} is {runs.get(run_id)}, with {len(ids[run_id])} deliveries")
        if len(runs) != self.events:
            problems.append(f"{len(runs)} runs of {self.events} events")
        repeated = len(receipts) - sum(map(len, ids.values()))
        secs = time.monotonic() - began
        return Report(self.events, self._count, kills, Counter(runs.values()), repeated, secs, problems)

    def _made(self, path: str, body: dict[str, Any]) -> Any:
        return self._client.post(path, json=body).raise_for_status().json()

    def _send_all(self) -> None:
        thirds: deque[int] = deque()
        for number in iter(lambda: next(self._numbers), None):
            if number >= self.events:
                break
            while len(self._runs) - self.arrived > _MOST_OPEN:
                if self._over.wait(_POLL_SECS):
                    return
            self._send(number)
            self._send(number)
            thirds.append(number)
            if len(thirds) > _THIRD_AFTER:
                self._send(thirds.popleft())
        for number in thirds:
            self._send(number)

    def _send(self, number: int) -> None:
        """Call until the call is accepted."""
        body = json.dumps({"after": f"{number:040x}"}).encode()
        headers = {
            "x-hub-signature-256": "sha256=" + hmac.digest(self._secret, body, hashlib.sha256).hex(),
            "x-github-delivery": f"event-{number}",
            "x-github-event": "push",
        }
        while not self._over.is_set():
            with suppress(httpx.TransportError):
                answer = self._client.post(f"{self._path}/events", content=body, headers=headers)
                if answer.status_code == httpx.codes.ACCEPTED:
                    with self._lock:
                        self._runs[number].add(answer.json()["id"])
                        self._count += 1
                    return
                if answer.status_code not in _BUSY:
                    self._problems.append(f"event {number} was answered {answer.status_code} {answer.text[:200]}")
                    return
            self._over.wait(_AGAIN_SECS)

    def _all_runs(self) -> Iterator[Any]:
        query: dict[str, Any] = {"limit": 100}
        while True:
            page = self._client.get(f"{self._path}/runs", params=query).raise_for_status().json()
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]
