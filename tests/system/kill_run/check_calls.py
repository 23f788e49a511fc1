"""A check in a kill run: signed calls start its runs, and the event of each run goes to an endpoint."""

import json
import threading
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.system.kill_run.history import Called, CheckEvent, CheckRun, Checks
from tests.system.webhook_inbox import Inbox

PROJECT_ID = "kill-run-checks"
CALLS = 12
_AGAIN_SECS = 0.3
_BUSY = frozenset({429, 500, 503})
_FINAL = frozenset({"passed", "flaky", "failed", "error", "missed", "skipped"})


class CheckCalls:
    """A check of a project of its own, and a thread that calls it. Each call is repeated after its answer."""

    def __init__(self, client: httpx.Client, inbox: Inbox, secs: float) -> None:
        self._client = client
        self._inbox = inbox
        self._pause_secs = secs / CALLS
        endpoint = self._made("/api/webhooks", {"url": inbox.url, "events": ["check.run.completed"]})
        self._endpoint_secret = endpoint["secret"]
        check = {"name": "called", "language": "python", "code": "print(input())", "event_as": "stdin", "retries": 2}
        self._path = f"/api/checks/{self._made('/api/checks', check)['id']}"
        self._secret = self._made(f"{self._path}/secret", {})["secret"]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._call_all, daemon=True)
        self._calls: list[Called] = []
        self.problems: list[str] = []

    def start(self) -> None:
        """Start to call."""
        self._thread.start()

    def finish(self, timeout_secs: float) -> Checks:
        """Wait until all calls are answered, all runs ended and their events came. Call it after the kills."""
        deadline = time.monotonic() + timeout_secs
        self._thread.join(timeout_secs)
        while True:
            events = self._events()  # first: a run whose event came has ended
            runs = self._runs()
            missing = {call.run_id for call in self._calls} - {event.run_id for event in events}
            if not missing or time.monotonic() > deadline:
                return Checks(tuple(self._calls), runs, events)
            time.sleep(_AGAIN_SECS)

    def end(self) -> None:
        """Stop calling."""
        self._over.set()

    def _made(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._client.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    def _call_all(self) -> None:
        for number in range(CALLS):
            for _ in range(2):
                while not self._call(f"call-{number}"):
                    if self._over.wait(_AGAIN_SECS):
                        return
            if self._over.wait(self._pause_secs):
                return

    def _call(self, webhook_id: str) -> bool:
        """Call once; False if the caller must repeat it."""
        body, now = json.dumps({"call": webhook_id}, separators=(",", ":")), datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self._secret).sign(webhook_id, now, body),
        }
        try:
            answer = self._client.post(f"{self._path}/events", content=body, headers=headers)
        except httpx.TransportError:
            return False
        if answer.status_code in _BUSY:
            return False
        if answer.status_code == HTTPStatus.ACCEPTED:
            self._calls.append(Called(webhook_id, answer.json()["id"]))
        else:
            self.problems.append(f"{webhook_id} of a check was answered {answer.status_code} {answer.text[:200]}")
        return True

    def _runs(self) -> tuple[CheckRun, ...]:
        runs = self._client.get(f"{self._path}/runs", params={"limit": 100}).json()["items"]
        return tuple(CheckRun(run["id"], run["status"], self._stdout(run)) for run in runs)

    def _stdout(self, run: dict[str, Any]) -> str:
        if run["submission_id"] is None or run["status"] not in _FINAL:
            return ""
        stdout: str = self._client.get(f"/api/result/{run['submission_id']}").json()["stdout"]
        return stdout

    def _events(self) -> tuple[CheckEvent, ...]:
        found = []
        for delivery in self._inbox.all():
            try:
                run_id = Webhook(self._endpoint_secret).verify(delivery.body, delivery.headers)["run_id"]
            except WebhookVerificationError:
                run_id = ""  # of no run
            found.append(CheckEvent(delivery.webhook_id, run_id))
        return tuple(found)
