"""Judge runs in the real jail: begin one, and read its results."""

from collections.abc import Callable
from datetime import UTC, datetime

from events.judged import CaseResult, JudgeCompleted
from events.requested import JudgeRequested
from sandbox_runtime.judging import JudgeRun, Setting

Judge = Callable[..., JudgeCompleted]
BUSY = "the host was too busy: the program lost its time to others"


def begun(request: JudgeRequested, setting: Setting) -> JudgeRun:
    assert request.judging is not None
    return JudgeRun(request, request.judging, setting, datetime.now(UTC))


def results(completed: JudgeCompleted) -> tuple[CaseResult, ...]:
    assert completed.failure is None
    assert completed.cases is not None
    return completed.cases
