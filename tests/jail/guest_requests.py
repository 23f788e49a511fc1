"""Requests as a worker gets them, and the type of the fixture that runs them."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from sandbox_runtime.messages import ExecutionCompleted, ExecutionRequested, LimitOverrides, format_time

Run = Callable[..., ExecutionCompleted]


def request(
    language: str,
    code: bytes,
    *,
    stdin: bytes = b"",
    limits: LimitOverrides | None = None,
    profile: str = "judge",
    environment: dict[str, str] | None = None,
    secret_names: tuple[str, ...] | None = None,
) -> ExecutionRequested:
    now = format_time(datetime.now(UTC))
    return ExecutionRequested(
        submission_id=str(uuid4()),
        execution_id=str(uuid4()),
        project_id="dev",
        language=language,
        profile=profile,
        priority="interactive",
        code=code,
        stdin=stdin,
        limits=limits or LimitOverrides(),
        requested_at=now,
        environment=environment,
        secret_names=secret_names,
    )
