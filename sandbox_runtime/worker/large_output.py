"""Store the output that a completion message cannot carry."""

import logging

from events.completed import ExecutionCompleted
from events.judged import Completed, JudgeCompleted
from events.requested import ExecutionRequested
from sandbox_runtime.retry import persist
from sandbox_runtime.transport import Transport, TransportError
from sandbox_runtime.worker.not_run import NotRun
from sandbox_runtime.worker.runner_parts import RunnerParts

_LOG = logging.getLogger(__name__)


def store_large_output(completed: Completed, parts: RunnerParts, store_secs: float) -> Completed | NotRun:
    """Move output that is too large for the message into the bucket. `store_secs`: how long to retry; 0: try once."""
    try:
        return persist(
            lambda: _without_large_output(completed, parts.transport),
            error=TransportError,
            stop=parts.quit_now,
            give_up_secs=store_secs,
        )
    except TransportError as error:
        log_not_sent(completed, error.operation, error.code)
        return NotRun.OUTPUT_NOT_STORED


def log_not_sent(completed: ExecutionRequested | Completed, step: str, code: str) -> None:
    """Log that a completion did not reach the completions queue."""
    _LOG.error("completion not sent", extra={**ids_of(completed), "step": step, "code": code})


def ids_of(message: ExecutionRequested | Completed) -> dict[str, str | None]:
    """Return the ids of a message for log lines. A request has no correlation id: its message carries it."""
    own = message.correlation_id if isinstance(message, ExecutionCompleted | JudgeCompleted) else None
    return {
        "correlation_id": own,
        "submission_id": message.submission_id,
        "execution_id": message.execution_id,
    }


def _without_large_output(completed: Completed, transport: Transport) -> Completed:
    if isinstance(completed, JudgeCompleted):
        return transport.without_large_cases(completed)
    return transport.without_large_output(completed)
