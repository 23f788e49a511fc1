"""Runs that are watched and cancelled in a kill run of their own: their live output is read while processes are killed.

Each run prints lines with a name that it draws by itself, so a mixture of two executions shows. By its number a run is
watched, cancelled, both, or watched by two at once. A watcher must get one execution, whole if it is final; a run ends
once, with the same result for all later readers, and holds nothing of the quota afterwards.
"""

import random
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.system.kill_run.history import essence
from tests.system.kill_run.kills_in_turn import KillsInTurn
from tests.system.kill_run.tables import read_tables
from tests.system.local_stack import LocalStack

PROJECT_ID = "watched-runs"
_CLIENTS = 3
_LINES = 10
_LINE_SECS = 0.25
_AGAIN_SECS = 0.1
_RUN_SECS = 300
_SETTLED_SECS = 120
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_CODE = (
    "import os, time\nname = os.urandom(4).hex()\n"
    f"for _ in range({_LINES}):\n    print(name, flush=True)\n    time.sleep({_LINE_SECS})\n"
)
_CANCELLED = frozenset({"cancelled", "cancelled_before_start"})
_WAYS = ("watched", "cancelled", "both", "two watchers")


@dataclass(slots=True)
class WatchedReport:
    """The result. `began_again`: how often a watcher saw another execution. `given_up`: runs that ended as IE."""

    runs: Counter[str]
    ends: Counter[str]
    watchers: int
    began_again: int
    kills: Counter[str]
    secs: float
    problems: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """One line of counts."""
        runs, ends, kills = (
            ", ".join(f"{name} {count}" for name, count in sorted(each.items()))
            for each in (self.runs, self.ends, self.kills)
        )
        return (
            f"watched: {self.runs.total()} runs in {self.secs:.0f} s ({runs}); ended as {ends}; "
            f"{self.watchers} watchers, {self.began_again} times again with another execution; "
            f"kills: {kills}; wrong {len(self.problems)}"
        )


def watched_runs(stack: LocalStack, runs: int, kills: int, seed: int) -> WatchedReport:
    """Run on a stack that is not started yet. Stop the stack in any case."""
    began = time.monotonic()
    with ExitStack() as opened:
        opened.callback(stack.close)
        stack.start()
        client = opened.enter_context(stack.client(stack.add_project(PROJECT_ID), timeout_secs=35))
        clients = _Clients(client, runs, seed)
        killer = KillsInTurn(stack, lambda: clients.done / runs, kills, seed)
        opened.callback(clients.end)
        opened.callback(killer.end)
        clients.start()
        killer.start()
        clients.wait()
        killer.end()
        clients.check_results()
        _check_rows(stack, clients)
        if (code := stack.stop()) != 0:
            clients.problems.append(f"the stack stopped with {code}")
    report = clients.report
    report.kills, report.secs = killer.kills, time.monotonic() - began
    return report


def _check_rows(stack: LocalStack, clients: "_Clients") -> None:
    """Wait until no run holds the quota; each job must have one row, which is final."""
    deadline = time.monotonic() + _SETTLED_SECS
    while (tables := read_tables(stack, PROJECT_ID)).open_ids or tables.held:
        if time.monotonic() > deadline:
            clients.problems.append(f"open: {sorted(tables.open_ids)}; in the quota: {sorted(tables.held)}")
            break
        time.sleep(1)
    if sorted(tables.jobs) != sorted(clients.finals):
        clients.problems.append(f"the table has {len(tables.jobs)} runs of {len(clients.finals)}")


class _WrongError(Exception):
    """Something is lost or wrong."""


class _Clients:
    """Clients that submit, watch and cancel, and repeat each request until it is answered."""

    def __init__(self, client: httpx.Client, runs: int, seed: int) -> None:
        self._client = client
        self._numbers = iter(range(runs))
        self._chance = random.Random(seed)  # noqa: S311 - no secret comes of it
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_CLIENTS)]
        self._lock = threading.Lock()
        self.done = 0
        self.finals: dict[str, dict[str, Any]] = {}
        self.report = WatchedReport(Counter(), Counter(), 0, 0, Counter(), 0)
        self.problems = self.report.problems

    def start(self) -> None:
        """Start the runs."""
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Wait for the end of all runs."""
        for thread in self._threads:
            thread.join()

    def end(self) -> None:
        """Begin no further run."""
        self._over.set()
        self.wait()

    def check_results(self) -> None:
        """Read each result again: it must be as before."""
        for the_id, before in self.finals.items():
            after = self._call("GET", f"/api/result/{the_id}").json()
            if essence(after) != essence(before):
                self.problems.append(f"{the_id} changed from {essence(before)} to {essence(after)}")

    def _work(self) -> None:
        while not self._over.is_set():
            with self._lock:
                number, wait_secs = next(self._numbers, None), self._chance.uniform(0, 2 * _LINES * _LINE_SECS)
            if number is None:
                return
            try:
                self._run(number, _WAYS[number % len(_WAYS)], wait_secs)
            except _WrongError as error:
                self.problems.append(f"run {number}: {error}")
            with self._lock:
                self.done += 1

    def _run(self, number: int, way: str, wait_secs: float) -> None:
        body = {"language": "python", "code": _CODE, "profile": "agent", "metadata": {"job": str(number)}}
        key = {"Idempotency-Key": str(number)}
        the_id = self._call("POST", "/api/submit", json=body, params={"wait": "false"}, headers=key).json()["id"]
        texts: list[str] = []
        watchers = {"cancelled": 0, "two watchers": 2}.get(way, 1)
        threads = [threading.Thread(target=self._watch, args=(the_id, texts), daemon=True) for _ in range(watchers)]
        for thread in threads:
            thread.start()
        asked: int | None = None
        if way in {"cancelled", "both"}:
            time.sleep(wait_secs)
            asked = self._call("POST", f"/api/result/{the_id}/cancel").status_code
        final = self._final(the_id)
        for thread in threads:
            thread.join(_RUN_SECS)
        with self._lock:
            self.finals[the_id] = final
            self.report.runs[way] += 1
            self.report.watchers += watchers
            self.report.ends[self._end_of(final, asked)] += 1
        if len(texts) != watchers:
            raise _WrongError(f"{watchers} watched {the_id}, and {len(texts)} came to its end")
        wrong = {text for text in texts if text != final["stdout"]}
        if wrong:
            raise _WrongError(f"watchers of {the_id} got {wrong}, and its result has {final['stdout']!r}")

    def _end_of(self, final: dict[str, Any], asked: int | None) -> str:
        """Return how a run ended. A program that was not cancelled, or too late, has printed all of one execution.

        `asked`: the answer to a cancel. 200: the run was final, perhaps by a cancel before whose answer was lost.
        """
        cause, lines = final["result"]["cause"], final["stdout"].splitlines()
        is_late = final.get("cancelled_too_late", False)
        if len(set(lines)) > 1:
            self.problems.append(f"{final['id']} has the output of two executions: {lines}")
        if cause in _CANCELLED and asked is not None:
            return str(cause)
        if final["verdict"] == "IE":
            return "IE"
        may_be_late = {None: {False}, 200: {False, True}}.get(asked, {True})
        if final["verdict"] != "AC" or len(lines) != _LINES or is_late not in may_be_late:
            self.problems.append(f"{final['id']}, cancelled: {asked}, ended as {final}")
        return "AC, cancelled too late" if is_late else "AC"

    def _watch(self, the_id: str, texts: list[str]) -> None:
        """Read the live output until it is final, from its begin after each new execution."""
        whole, after, execution = "", 0, None
        try:
            while True:
                query = {"stream": "stdout", "after": str(after), "wait": "5"}
                part = self._call("GET", f"/api/result/{the_id}/output", params=query).json()
                if execution is not None and part.get("execution") not in {None, execution}:
                    whole, after, execution = "", 0, part["execution"]
                    with self._lock:
                        self.report.began_again += 1
                    continue
                execution = part.get("execution") or execution
                whole, after = whole + part["output"], part["next"]
                if part["final"]:
                    break
        except _WrongError as error:
            self.problems.append(str(error))
            return
        with self._lock:
            texts.append(whole)

    def _final(self, the_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + _RUN_SECS
        while time.monotonic() < deadline:
            answer: dict[str, Any] = self._call("GET", f"/api/result/{the_id}", params={"wait": "5"}).json()
            if answer.get("result"):
                return answer
        raise _WrongError(f"{the_id} has no result")

    def _call(self, method: str, path: str, **parts: Any) -> httpx.Response:
        """Call until there is an answer that is not a passing refusal."""
        deadline = time.monotonic() + _RUN_SECS
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                answer = self._client.request(method, path, **parts)
                if answer.status_code in {200, 202}:
                    return answer
                if answer.status_code not in _BUSY:
                    raise _WrongError(f"{method} {path} was answered {answer.status_code} {answer.text[:200]}")
            time.sleep(_AGAIN_SECS)
        raise _WrongError(f"{method} {path} has no answer")
