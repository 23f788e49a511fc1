"""Clients that submit the jobs of a kill run, and repeat each request until it is answered."""

import queue
import threading
import time
from collections.abc import Callable, Sequence

import httpx

from tests.system.kill_run.facts import Submitted
from tests.system.kill_run.history import shown
from tests.system.kill_run.plan import Job, case_output
from tests.system.kill_run.targets import OWN_SECRETS

THREADS = 24
_PAUSE_SECS = 0.3
_ACCEPTED = frozenset({200, 202, 408})
_BUSY = frozenset({429, 500, 503})  # the launcher dies during the request, or has just started


class Clients:
    """Threads that submit the jobs in order, each at its time or later. `watch` is called with each new path."""

    def __init__(
        self, open_client: Callable[[], httpx.Client], jobs: Sequence[Job], own_url: str, watch: Callable[[str], None]
    ) -> None:
        self._open_client = open_client
        self._watch = watch
        self._own_url = own_url
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            self._jobs.put(job)
        self._started = time.monotonic()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(THREADS)]
        self.submitted: list[Submitted] = []
        self.problems: list[str] = []
        self.lost_answers = 0

    def start(self) -> None:
        """Start to submit."""
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()

    def finish(self, timeout_secs: float) -> bool:
        """Wait until every job is accepted; False if the time runs out first."""
        deadline = time.monotonic() + timeout_secs
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        is_done = not any(thread.is_alive() for thread in self._threads)
        self.end()
        return is_done

    def end(self) -> None:
        """Stop submitting."""
        self._over.set()

    def _work(self) -> None:
        with self._open_client() as client:
            while not self._over.is_set():
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    return
                wait_secs = max(0.0, self._started + job.at_secs - time.monotonic())
                while not self._over.wait(wait_secs):
                    if (done := self._submit(client, job)) is not None:
                        self.submitted.append(done)
                        break
                    wait_secs = _PAUSE_SECS

    def _submit(self, client: httpx.Client, job: Job) -> Submitted | None:
        """Submit once; None if the caller must repeat it. Without an idempotency key a repeat may run twice."""
        try:
            answer = client.post(
                "/api/judge" if job.cases else "/api/submit",
                params={"wait": "true" if job.waits else "false"},
                json=self._body(job),
                headers={"Idempotency-Key": job.key} if job.repeats else None,
            )
        except httpx.ConnectError:
            return None  # no process got the request
        except httpx.TransportError:
            self.lost_answers += 1
            return None
        if answer.status_code in _BUSY:
            return None
        if answer.status_code not in _ACCEPTED:
            self.problems.append(f"job {job.key} was answered {answer.status_code} {answer.text[:200]}")
            return Submitted(job, None, time.time())
        body = answer.json()
        self._watch(f"{job.path}/{body['id']}")
        return Submitted(job, body["id"], time.time(), shown(body) if answer.status_code == httpx.codes.OK else None)

    def _body(self, job: Job) -> dict[str, object]:
        body: dict[str, object] = {"language": job.language, "code": job.code, "metadata": {"job": job.key}}
        if job.cases:
            body["cases"] = [
                {"stdin": f"{case}\n", "expected": case_output(job.key, case)} for case in range(job.cases)
            ]
        if job.own is not None:
            body |= {"webhook_url": self._own_url, "webhook_secret": OWN_SECRETS[job.own]}
        return body
