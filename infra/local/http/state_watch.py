"""Answers of the HTTP API over the embedded engine: on the disk before they leave, and with the cause of a trouble."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.embedded.errors import ServiceError
from infra.embedded.storage.group_flush import Trouble
from infra.local.http.http_event import HttpAnswer

if TYPE_CHECKING:
    from infra.embedded.storage.store import Store
    from infra.local.console import Console

_HEALTH: Final = "/api/health"
_READY: Final = "/api/health/ready"
_UNAVAILABLE: Final = 503
_RETRY_AFTER_SECS: Final = 10
_LOOK_SECS: Final = 1.0
_REPEAT_SECS: Final = 60.0
_NODE_ID: Final = "local"


@dataclass(frozen=True, slots=True)
class DurableAnswers:
    """Every answer that may tell of the state passes `flush`, on the thread that made it, before it leaves."""

    store: Store

    def flush(self, path: str, answer: HttpAnswer) -> HttpAnswer:
        """Return the answer when everything that it may tell is on the disk.

        Returns 503 in its place while the state cannot be kept. `path`: of the request.
        """
        trouble = self._find_trouble()
        if trouble is None:
            return answer
        if path == _HEALTH:
            return _with_problem(answer, trouble.cause)
        is_refused = trouble.stops_all or answer.status == _UNAVAILABLE
        return _unavailable(trouble.cause, path) if is_refused else answer

    def _find_trouble(self) -> Trouble | None:
        problem = ""
        try:
            self.store.flush()
        except ServiceError as error:
            problem = error.message
        trouble = self.store.find_trouble()
        if problem and (trouble is None or not trouble.stops_all):  # such as too many open files
            return Trouble("the log cannot be flushed", problem)
        return trouble


class TroubleWatch:
    """A thread of one process of the stack. It tells of a trouble at once, then once a minute, and of its end."""

    def __init__(self, store: Store, console: Console) -> None:
        self._store = store
        self._console = console
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="state-watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        told: Trouble | None = None
        repeat_at = 0.0
        while not self._stop.wait(_LOOK_SECS):
            trouble = self._store.find_trouble()
            if trouble is not None and (trouble != told or time.monotonic() >= repeat_at):
                self._console.line("state", trouble.detail, "error")
                repeat_at = time.monotonic() + _REPEAT_SECS
            elif trouble is None and told is not None:
                self._console.line("state", f"no longer: {told.cause}")
            told = trouble


def _unavailable(cause: str, path: str) -> HttpAnswer:
    text = f"The service cannot keep its state: {cause}. Repeat the request later, with the same Idempotency-Key."
    body = {"status": "not_ready", "error": text} if path == _READY else {"error": "unavailable", "message": text}
    headers = [("content-type", "application/json"), ("retry-after", str(_RETRY_AFTER_SECS))]
    return HttpAnswer(_UNAVAILABLE, headers, json.dumps(body).encode())


def _with_problem(answer: HttpAnswer, cause: str) -> HttpAnswer:
    body = json.loads(answer.body)
    problems = [*body.get("problems", []), {"node_id": _NODE_ID, "problem": cause}]
    changed = body | {"status": "degraded", "problems": problems}
    return HttpAnswer(answer.status, answer.headers, json.dumps(changed).encode())
