"""Completions without a measurement: a judge run that never starts, and a program that the cache has compiled."""

from datetime import UTC, datetime

from events.completed import Result
from events.judged import CaseStream, Compilation, JudgeCompleted
from events.message import format_time
from events.requested import Addressee, JudgeRequested
from events.vocabulary import Actor, Cause, Phase, Verdict

CACHED_COMPILATION = Compilation(
    result=Result(
        verdict=Verdict.AC,
        cause=Cause.NORMAL_EXIT,
        actor=Actor.RUNTIME,
        phase=Phase.COMPILE,
        exit_code=0,
        signal=None,
        error_message=None,
    ),
    stderr=CaseStream(0, b""),
    cpu_time_secs=0,
    wall_time_secs=0,
    memory_peak_bytes=0,
    cached=True,
)


def not_judged(request: JudgeRequested | Addressee, node_id: str, cause: Cause, message: str) -> JudgeCompleted:
    """Build the completion of a judge run that never starts. `message` is for the client."""
    now = format_time(datetime.now(UTC))
    failure = Result(
        verdict=Verdict.IE,
        cause=cause,
        actor=Actor.JUDGE,
        phase=Phase.RUN,
        exit_code=None,
        signal=None,
        error_message=message,
    )
    return JudgeCompleted(
        submission_id=request.submission_id,
        execution_id=request.execution_id,
        node_id=node_id,
        language=request.language,
        started_at=now,
        completed_at=now,
        failure=failure,
        compile=None,
        cases=(),
        cases_key=None,
        metrics=None,
        evidence=None,
    )
