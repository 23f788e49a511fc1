"""Load on a deployed stage whose code changes meanwhile, and what is lost, wrong, twice or unreadable afterwards."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import pairwise
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

from tests.system.kill_run.history import essence, shown, wrong_answers, wrong_list, wrong_polls
from tests.system.kill_run.observers import Observers
from tests.system.webhook_inbox import Delivery, Inbox

OWN_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_PROBLEM = "sum"
_CASES = [{"stdin": f"{number} {number}\n", "expected": f"{2 * number}\n"} for number in range(5)]
_SUM = "print(sum(map(int, input().split())))"
_SUMS = "".join(str(case["expected"]) for case in _CASES)
_FILE = b"line\n" * 60_000
_TURN = """
import hashlib
raw = open("in.bin", "rb").read()
open("out.bin", "wb").write(raw[::-1])
print(hashlib.sha256(raw).hexdigest())
"""
_THREADS = 2
_PAUSE_SECS = 0.2
_PATIENCE_SECS = 240
_MINUTE = timedelta(minutes=1)
_UNDER_WAY = frozenset({"pending", "running", "waiting"})
_NOT_STARTED = frozenset({"missed", "skipped"})
"""The stage was away for a minute, or a run took longer than one."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An accepted submission. `stdout`: its expected output. `own`: it has a webhook of its own."""

    path: str
    submission_id: str
    stdout: str
    own: bool


class Load:
    """Clients of one project, and a check in another. `events`: receives for an endpoint, `own` for single runs."""

    def __init__(
        self, open_client: Callable[[], httpx.Client], checks: httpx.Client, events: Inbox, own: Inbox
    ) -> None:
        self._open_client, self._client, self._checks = open_client, open_client(), checks
        self._events, self._own = events, own
        self._over, self._lock = threading.Event(), threading.Lock()
        self._number = 0
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_THREADS)]
        self._observers = Observers(open_client)
        self._secret, self._check = "", ""
        self.sent: list[Sent] = []
        self.problems: list[str] = []
        self.refused = 0

    def start(self) -> None:
        """Make an endpoint, a problem, a stored file and a check, then submit until `end`."""
        endpoint = self._made(self._client, "/api/webhooks", {"url": self._events.url, "events": []})
        self._secret = endpoint["secret"]
        self.push_problem()
        link = self._made(self._client, "/api/files", {"sha256": _sha256(_FILE), "size": len(_FILE)})["upload"]
        httpx.request(link["method"], link["url"], headers=link["headers"], content=_FILE).raise_for_status()
        program = {"name": "each minute", "language": "python", "code": "print(1)", "schedule": "rate(1 minute)"}
        self._check = self._made(self._checks, "/api/checks", program)["id"]
        self._observers.start()
        for thread in self._threads:
            thread.start()

    def push_problem(self, note: str = "first") -> None:
        """Push the problem once more: another note makes another version, and a change of the project."""
        cases = [{**case, "id": f"{note}-{number}"} for number, case in enumerate(_CASES)]
        self._made(self._client, "/api/problems", {"id": _PROBLEM, "cases": cases})

    def end(self) -> None:
        """Submit nothing more, and wait until everything that was accepted is final and delivered."""
        self._over.set()
        for thread in self._threads:
            thread.join(_PATIENCE_SECS)
        deadline = time.monotonic() + _PATIENCE_SECS
        while time.monotonic() < deadline and [*self._unfinished()]:
            time.sleep(1)
        self._observers.end()
        self._observers.read_all(_PATIENCE_SECS)

    def close(self) -> None:
        """Close the connections."""
        self._over.set()
        self._observers.close()
        self._client.close()

    def _unfinished(self) -> Iterator[str]:
        yield from {one.submission_id for one in self.sent} - self._events.ids()
        yield from {one.submission_id for one in self.sent if one.own} - self._own.ids()

    def _work(self) -> None:
        with self._open_client() as client:
            while not self._over.wait(_PAUSE_SECS):
                with self._lock:
                    self._number += 1
                    number = self._number
                try:
                    self._submit(client, number)
                except AssertionError as error:
                    self.problems.append(str(error))

    def _submit(self, client: httpx.Client, number: int) -> None:
        path, body, stdout = self._job(number)
        params = {"wait": "true" if number % 5 == 1 else "false"}
        answer = self._called(
            client, "POST", path, json=body, params=params, headers={"Idempotency-Key": f"upgrade-{number}"}
        )
        of_result = "/api/judge" if path == "/api/judge" else "/api/result"
        one = Sent(of_result, answer["id"], stdout, "webhook_url" in body)
        self.sent.append(one)
        self._observers.watcher.watch(f"{one.path}/{one.submission_id}")

    def _job(self, number: int) -> tuple[str, dict[str, Any], str]:
        """Return path, body and expected output: of a run, a synchronous one, two judge runs, one with a file."""
        name = f"upgrade {number}"
        run = {"language": "python", "code": f"print({name!r})", "metadata": {"number": str(number)}}
        match number % 5:
            case 0:
                return "/api/submit", run | {"webhook_url": self._own.url, "webhook_secret": OWN_SECRET}, f"{name}\n"
            case 1:
                return "/api/submit", run, f"{name}\n"
            case 2:
                return "/api/judge", run | {"code": _SUM, "problem": _PROBLEM}, _SUMS
            case 3:
                return "/api/judge", run | {"code": _SUM, "cases": _CASES}, _SUMS
            case _:
                file = {"path": "in.bin", "sha256": _sha256(_FILE), "read_only": True}
                more = {"code": _TURN, "files": [file], "artifacts": ["out.bin"]}
                return "/api/submit", run | more, f"{_sha256(_FILE)}\n"

    def _called(self, client: httpx.Client, method: str, path: str, **parts: Any) -> dict[str, Any]:
        """Call until the answer is neither a refusal for now nor a lost one. The last may happen at each change."""
        deadline, told = time.monotonic() + _PATIENCE_SECS, "nothing"
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                answer = client.request(method, path, **parts)
                told = f"{answer.status_code} {answer.text[:300]}"
                if answer.is_success or answer.status_code == HTTPStatus.REQUEST_TIMEOUT:
                    found: dict[str, Any] = answer.json()
                    return found
                assert answer.status_code in {429, 500, 502, 503, 504}, f"{method} {path}: {told}"
            self.refused += 1
            time.sleep(1)
        raise AssertionError(f"{method} {path} has no answer: {told}")

    def _made(self, client: httpx.Client, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._called(client, "POST", path, json=body)

    # After a change: everything that is stored, as the present code reads it.

    def unreadable(self) -> Iterator[str]:
        """Read all results, the list, the problem, the file and the check's runs. Yield what is lost or wrong."""
        told = {one.submission_id: one for one in self._observers.watcher.told if one.is_final}
        for one in [*self.sent]:
            result = shown(self._called(self._client, "GET", f"{one.path}/{one.submission_id}"))
            before = told.get(one.submission_id)
            if before is not None and essence(result) != essence(before.result):
                yield f"{one.submission_id} was {essence(before.result)}, and is {essence(result)}"
        found = self._called(self._client, "GET", f"/api/problems/{_PROBLEM}")
        if found["cases"] != len(_CASES):
            yield f"the problem has {found['cases']} cases"
        link = self._called(self._client, "GET", f"/api/files/{_sha256(_FILE)}")["download"]
        if httpx.get(link["url"]).content != _FILE:
            yield "the stored file has other bytes"
        yield from self._wrong_runs_of_the_check()

    def lost(self) -> Iterator[str]:
        """Yield accepted submissions without their result, event or webhook. Call it after `end`."""
        listed = [*self._listed()]
        yield from wrong_list(listed, [one.submission_id for one in self.sent])
        for one in self.sent:
            result = shown(self._called(self._client, "GET", f"{one.path}/{one.submission_id}"))
            if (result.get("verdict"), result.get("stdout")) != ("AC", one.stdout):
                yield f"{one.submission_id} ended as {essence(result)}"
            yield from self._wrong_deliveries(one, self._events, self._secret)
            if one.own:
                yield from self._wrong_deliveries(one, self._own, OWN_SECRET)
        yield from self._lost_minutes()
        yield from wrong_answers(self._observers.watcher.told)
        yield from wrong_polls(self._observers.pages, [one.submission_id for one in self.sent])
        yield from (*self._observers.problems, *self.problems)

    @property
    def twice(self) -> int:
        """Webhooks that came again: each send that was cut off may be repeated."""
        return sum(len(inbox.all()) - len(inbox.ids()) for inbox in (self._events, self._own))

    @property
    def delivered(self) -> int:
        """Events that came, each counted once for each of its two receivers."""
        return len(self._events.ids()) + len(self._own.ids())

    @property
    def check_runs(self) -> tuple[int, int]:
        """Runs of the check that passed, and minutes without one."""
        statuses = [run["status"] for run in self._runs_of_the_check()]
        return sum(each in {"passed", "flaky"} for each in statuses), sum(each in _NOT_STARTED for each in statuses)

    def _wrong_deliveries(self, one: Sent, inbox: Inbox, secret: str) -> Iterator[str]:
        deliveries = inbox.of(one.submission_id)
        if not deliveries:
            yield f"{one.submission_id} has no webhook at {inbox.url}"
        for delivery in deliveries:
            body = _verified(delivery, secret)
            if (body.get("verdict"), body.get("stdout")) != ("AC", one.stdout):
                yield f"the webhook of {one.submission_id} says {essence(body)}"

    def _listed(self) -> Iterator[str]:
        params: dict[str, Any] = {"limit": 100}
        while True:
            page = self._called(self._client, "GET", "/api/results", params=params)
            yield from (item["id"] for item in page["items"])
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

    def _runs_of_the_check(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._called(self._checks, "GET", f"/api/checks/{self._check}/runs")["items"]
        return found

    def _wrong_runs_of_the_check(self) -> Iterator[str]:
        for run in self._runs_of_the_check():
            if run["status"] not in {"passed", "flaky", *_NOT_STARTED, *_UNDER_WAY}:
                yield f"a run of the check is {run['status']}: {run}"

    def _lost_minutes(self) -> Iterator[str]:
        """Yield gaps in the history of the check, which has a row for each minute, and minutes with two."""
        minutes = sorted(datetime.fromisoformat(run["scheduled_at"]) for run in self._runs_of_the_check())
        for first, second in pairwise(minutes):
            if second - first != _MINUTE:
                yield f"the check ran for {first} and then for {second}"


def _verified(delivery: Delivery, secret: str) -> Mapping[str, Any]:
    return shown(Webhook(secret).verify(delivery.body, delivery.headers))


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
