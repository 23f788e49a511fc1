"""Requests as a worker gets them, and the type of the fixture that runs them."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from events.completed import ExecutionCompleted
from events.message import format_time
from events.program import RequestedLimits
from events.requested import ExecutionRequested
from events.vocabulary import Language, Profile

Run = Callable[..., ExecutionCompleted]


def request(
    language: str,
    code: bytes,
    *,
    stdin: bytes = b"",
    limits: RequestedLimits | None = None,
    profile: str = "judge",
    environment: dict[str, str] | None = None,
    secret_names: tuple[str, ...] | None = None,
) -> ExecutionRequested:
    now = format_time(datetime.now(UTC))
    return ExecutionRequested(
        submission_id=str(uuid4()),
        execution_id=str(uuid4()),
        project_id="dev",
        language=Language(language),
        profile=Profile(profile),
        priority="interactive",
        code=code,
        stdin=stdin,
        limits=limits or RequestedLimits(),
        requested_at=now,
        environment=environment,
        secret_names=secret_names,
    )
