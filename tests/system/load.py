"""A client under which things are killed: it never gives up, and remembers what was accepted."""

import random
import threading
import uuid
from dataclasses import dataclass, field

import httpx
from standardwebhooks.webhooks import Webhook

from tests.system.local_stack import LocalStack, final_result, wait_until
from tests.system.webhook_inbox import Inbox

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(slots=True)
class Load:
    """Threads that submit jobs with a webhook; each job has an idempotency key and is repeated until accepted."""

    stack: LocalStack
    inbox: Inbox
    threads: int
    pause_secs: float
    accepted: dict[str, str] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Submit from now on."""
        self._running = [
            threading.Thread(target=self._submit_jobs, args=(n,), daemon=True) for n in range(self.threads)
        ]
        for thread in self._running:
            thread.start()

    def stop(self) -> None:
        """Let every thread get its last job accepted."""
        self._stopping.set()
        for thread in self._running:
            thread.join(60)
            assert not thread.is_alive()

    def _submit_jobs(self, number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - no secret comes of it
        with self.stack.client(timeout_secs=10) as client:
            while not self._stopping.wait(self.pause_secs):
                key = str(uuid.uuid4())
                code = f"import time; time.sleep({chance.choice([0, 0.2, 1])}); print('{key}')"
                job = {"language": "python", "code": code, "webhook_url": self.inbox.url, "webhook_secret": SECRET}
                while key not in self.accepted:
                    self._try(client, key, job)

    def _try(self, client: httpx.Client, key: str, job: dict[str, str]) -> None:
        try:
            response = client.post("/api/submit", json=job, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            self._stopping.wait(0.1)
            return
        if response.status_code in {200, 202}:
            self.accepted[key] = response.json()["id"]
        elif response.status_code not in {500, 503}:  # the process dies in mid-request
            self.unexpected.append(f"{response.status_code} {response.text}")
            self.accepted[key] = ""

    def assert_nothing_lost(self, timeout_secs: float) -> dict[str, int]:
        """Every accepted job reaches one final state and its webhook arrives. Returns verdict counts."""
        assert not self.unexpected
        ids = set(self.accepted.values())
        assert len(ids) == len(self.accepted)
        verdicts: dict[str, int] = {}
        with self.stack.client() as client:
            results = {}
            for key, submission_id in self.accepted.items():
                result = final_result(client, submission_id, timeout_secs)
                results[submission_id] = result
                verdicts[result["verdict"]] = verdicts.get(result["verdict"], 0) + 1
                assert result["verdict"] in {"AC", "IE"}, result
                if result["verdict"] == "AC":
                    assert result["stdout"] == f"{key}\n"
            wait_until(
                lambda: ids <= self.inbox.ids(), timeout_secs, "every webhook", lambda: str(ids - self.inbox.ids())
            )
            assert self.inbox.ids() == ids
            for submission_id, result in results.items():
                deliveries = self.inbox.of(submission_id)
                assert len({delivery.body for delivery in deliveries}) == 1
                body = Webhook(SECRET).verify(deliveries[-1].body, deliveries[-1].headers)
                assert (body["id"], body["verdict"]) == (submission_id, result["verdict"])
                again = client.get(f"/api/result/{submission_id}").json()
                assert (again["verdict"], again["completed_at"]) == (result["verdict"], result["completed_at"])
        return verdicts
