"""Submissions and completions for tests, and a clock that goes when it is told to."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from functions.projects.model import DEFAULT_QUOTAS, MAX_IN_FLIGHT, Quota
from functions.submissions.model import Completion, Status, Submission

GENEROUS = dict.fromkeys(DEFAULT_QUOTAS, Quota(per_minute=1_000_000, per_day=1_000_000_000, in_flight=MAX_IN_FLIGHT))
"""Quotas for tests that are not about them."""
EVENTS = Path(__file__).parents[1] / "events"
START_MS = 1_795_521_600_000  # 2026-11-24T12:00:00.000Z
SUBMISSION_ID = "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11"
EXECUTION_ID = "0d4b6a34-58a1-4d4c-b1c5-7b0f5e1f9c02"


@dataclass
class FakeTime:
    """A clock (call it: epoch ms), and the time that waiting takes."""

    ms: int = START_MS
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000

    def sleep(self, secs: float) -> None:
        self.slept.append(secs)
        self.ms += round(secs * 1000)

    def advance(self, secs: float) -> None:
        self.ms += round(secs * 1000)


def golden(name: str) -> dict[str, Any]:
    """A golden message: `execution_completed/v1.accepted`."""
    document = json.loads((EVENTS / f"{name}.json").read_text())
    assert isinstance(document, dict)
    return document


def new_submission(**changes: Any) -> Submission:
    """A pending submission of project `dev`."""
    values: dict[str, Any] = {
        "submission_id": SUBMISSION_ID,
        "project_id": "dev",
        "status": Status.PENDING,
        "language": "python",
        "profile": "judge",
        "priority": "batch",
        "created_at": "2026-11-24T12:00:00.000Z",
        "ttl": START_MS // 1000 + 30 * 86_400,
        "execution_id": EXECUTION_ID,
        "wall_budget_secs": 7,
        "code": b"print(42)\n",
        "stdin": b"",
        "due_at_ms": START_MS + 120_000,
    }
    return Submission(**values | changes)


def completion(**changes: Any) -> Completion:
    """The end of a submission by the golden message `accepted`."""
    message = golden("execution_completed/v1.accepted")
    values: dict[str, Any] = {
        "completed_at": message["completed_at"],
        "started_at": message["started_at"],
        "node_id": message["node_id"],
        "execution_id": message["execution_id"],
        "result": message["result"],
        "metrics": message["metrics"],
        "evidence": message["evidence"],
        "integrity": message["integrity"],
        "stdout": b"42\n",
        "stdout_size_bytes": 3,
        "stderr": b"",
    }
    return Completion(**values | changes)


def final_submission(**changes: Any) -> Submission:
    """A submission after that completion."""
    done = completion()
    values: dict[str, Any] = {
        "status": Status.COMPLETED,
        "started_at": done.started_at,
        "completed_at": done.completed_at,
        "node_id": done.node_id,
        "verdict": done.verdict,
        "summary": {"result": done.result, "metrics": done.metrics},
        "evidence": done.evidence,
        "integrity": done.integrity,
        "stdout": done.stdout,
        "stdout_size_bytes": 3,
        "stderr": b"",
        "due_at_ms": None,
    }
    return new_submission(**values | changes)
