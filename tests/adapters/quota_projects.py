"""Projects with small quotas, entry points on a clock of the test, and what the table holds of both."""

from dataclasses import dataclass
from typing import Any

import pytest

from events.vocabulary import Profile
from functions.aws.clients import Clients
from functions.clock import now_ms
from functions.env import Env
from functions.handlers import submit
from functions.projects.authentication import Rates
from functions.projects.model import DAY_MS, Project, Quota
from functions.projects.quota_store import QuotaStore
from functions.projects.store import ProjectStore
from functions.submissions.accept.acceptance import Acceptance
from tests.adapters.aws_account import Aws
from tests.adapters.http_calls import Answer, post
from tests.adapters.quota_usage import whole_usage
from tests.submission_factory import FakeTime

PROGRAM = {"language": "python", "code": "print(42)"}


@dataclass
class Quotas:
    """One account. `time` stands still unless it is told to go, so no window ends in the middle of a test."""

    aws: Aws
    time: FakeTime
    store: QuotaStore

    def project(self, quota: Quota, project_id: str = "p", profiles: tuple[str, ...] = ("judge", "agent")) -> str:
        """Make a project with that quota for both profiles; return a key."""
        projects = ProjectStore(self.aws.names["ProjectsTable"], Clients.dynamodb())
        projects.create_project(Project(project_id, project_id, profiles, dict.fromkeys(map(str, Profile), quota)))
        return projects.issue_key(project_id)

    def counts(self, project_id: str = "p", profile: str = "judge") -> tuple[int, int, int]:
        """Of the minute, the day, and in flight."""
        usage = whole_usage(self.aws, project_id, profile)
        return usage.minute.count, usage.day.count, usage.in_flight

    def rows(self) -> list[str]:
        """Ids of all submissions."""
        items = self.aws.items("SubmissionsTable")
        return [item["submission_id"]["S"] for item in items if item["pk"]["S"].startswith("SUBMISSION#")]


def on_time(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Quotas:
    """Let submit and the RateLimit headers go by a clock of the test, which begins with a day."""
    time = FakeTime(now_ms() // DAY_MS * DAY_MS)
    store = QuotaStore(aws.names["QuotasTable"], Clients.dynamodb(), time)
    submit.ENV.forget()
    monkeypatch.setattr(submit.ENV, "clock", time)
    submit.ENV._parts[QuotaStore] = store
    submit.ENV[Acceptance]._sleep = lambda secs: time.sleep(secs)  # noqa: PLW0108 - a test may put another in its place
    env = Env("rates", submit.SETTINGS, time)
    env.provide(QuotaStore, lambda _: store)
    rates = env[Rates]
    monkeypatch.setattr(Rates, "from_env", lambda _: rates, raising=False)  # of all entry points
    return Quotas(aws, time, store)


def submit_with(key: str, idempotency_key: str | None = None, **changes: Any) -> Answer:
    return post(key, {**PROGRAM, **changes}, idempotency_key=idempotency_key)


def rate(answer: Answer) -> tuple[int, int, int]:
    """The three headers."""
    limit, remaining, reset = (int(answer.headers[f"ratelimit-{name}"]) for name in ("limit", "remaining", "reset"))
    return limit, remaining, reset
