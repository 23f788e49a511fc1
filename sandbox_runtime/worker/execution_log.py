"""Log lines and failure completions of executions, shared by the direct path and the queue path."""

import logging
from datetime import UTC, datetime

from sandbox_runtime.executor import platform_failure
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.messages import Addressee, ExecutionCompleted, ExecutionRequested

_LOG = logging.getLogger(__name__)


def not_run(request: ExecutionRequested | Addressee, node_id: str, cause: str, message: str) -> ExecutionCompleted:
    """Build the IE completion of a request that was not run. `message` is for the client."""
    return platform_failure(
        (request.submission_id, request.execution_id),
        request.language,
        node_id=node_id,
        started_at=datetime.now(UTC),
        cause=cause,
        message=message,
    )


def completed(message: ExecutionCompleted) -> None:
    """Log the end of an execution."""
    ids = {"submission_id": message.submission_id, "execution_id": message.execution_id}
    result, metrics = message.result, message.metrics
    times = {"run_ms": metrics.run_ms, "queue_ms": metrics.queue_ms} if metrics is not None else {}
    facts = {"verdict": result.verdict, "cause": result.cause, "language": message.language}
    _LOG.info("execution completed", extra={**ids, **facts, **times})


def not_sent(message: ExecutionCompleted, step: str, code: str) -> None:
    """Log that a completion could not be sent."""
    ids = {"submission_id": message.submission_id, "execution_id": message.execution_id}
    _LOG.error("completion not sent", extra={**ids, "step": step, "code": code})


def sandbox_failed(request: ExecutionRequested, error: JailError) -> None:
    """Log a failure of the jail."""
    _LOG.error(
        "sandbox failed",
        extra={
            "submission_id": request.submission_id,
            "execution_id": request.execution_id,
            "step": error.step,
            "target": error.target,
            "errno": error.errno,
            "problem": error.hint,
        },
    )
