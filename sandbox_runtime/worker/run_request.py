"""Run one request: the use case of both intakes, `queue_intake` and `direct_intake`.

An intake parses a request, claims its submission, calls `RequestRunner.run` in a slot, and answers.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from threading import BoundedSemaphore, Event
from time import monotonic

from sandbox_runtime.executor import CompileCache, ExecutionCancelledError, execute, not_run, slot_is_suspect
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.languages import Language, LimitRefusedError
from sandbox_runtime.messages import ExecutionCompleted, ExecutionRequested, serialise
from sandbox_runtime.metrics import Metrics
from sandbox_runtime.retry import persist
from sandbox_runtime.transport import Transport, TransportError
from sandbox_runtime.warm import WarmSlot
from sandbox_runtime.worker.queue_batches import COMPLETION_GIVE_UP_SECS, BatchSender, Outgoing

# With more unsent completions, slots wait: the memory of this process is bounded.
MOST_UNSENT = 10
_PHASES = ("queue", "setup", "compile", "run")

_LOG = logging.getLogger(__name__)


class NotRun(StrEnum):
    """Why a request has no completion. It must run again, here or on another runner."""

    LANGUAGE_NOT_OFFERED = "language_not_offered"
    CANCELLED = "draining"
    SANDBOX_FAILED = "sandbox_failed"
    OUTPUT_NOT_STORED = "output_not_stored"


@dataclass(frozen=True, slots=True)
class RequestRunner:
    """Runs requests in slots. `quit_now`: when set, stop every retry."""

    transport: Transport
    sender: BatchSender
    languages: Mapping[str, Language]
    node_id: str
    cancel_fd: int
    quit_now: Event
    compile_cache: CompileCache
    metrics: Metrics
    unsent: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(MOST_UNSENT))

    def run(
        self,
        slot: WarmSlot,
        request: ExecutionRequested,
        started_at: datetime,
        *,
        correlation_id: str | None,
        store_secs: float,
    ) -> tuple[ExecutionCompleted | NotRun, bool]:
        """Run a request, and store its large output. Returns the answer, and whether the slot may be used again.

        `store_secs`: how long to retry to store the output; 0: try once.
        """
        language = self.languages.get(request.language)
        if language is None:
            return NotRun.LANGUAGE_NOT_OFFERED, True
        try:
            completed = execute(
                slot,
                request,
                language,
                node_id=self.node_id,
                started_at=started_at,
                cancel_fd=self.cancel_fd,
                compile_cache=self.compile_cache,
            )
        except LimitRefusedError as error:
            refused = not_run(request, self.node_id, "ie_not_run", str(error))
            return replace(refused, correlation_id=correlation_id), True
        except ExecutionCancelledError:
            return NotRun.CANCELLED, slot.healthy
        except JailError as error:
            _log_sandbox_failure(request, correlation_id, error)
            return NotRun.SANDBOX_FAILED, False
        completed = replace(completed, correlation_id=correlation_id)
        return self._store(completed, store_secs), slot.healthy and not slot_is_suspect(completed.result)

    def send(
        self,
        completed: ExecutionCompleted,
        on_sent: Callable[[], None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        """Send a completion to the completions queue. Waits while MOST_UNSENT others are unsent."""

        def sent() -> None:
            self.unsent.release()
            on_sent()
            self.report(completed)

        def lost(code: str) -> None:
            self.unsent.release()
            _log_not_sent(completed, "send", code)
            on_lost()

        self.unsent.acquire()
        self.sender.put(Outgoing(serialise(completed), sent, lost, monotonic() + COMPLETION_GIVE_UP_SECS))

    def report(self, completed: ExecutionCompleted) -> None:
        """Log and count the end of an execution, after its completion was accepted."""
        result, measured = completed.result, completed.metrics
        times = {"run_ms": measured.run_ms, "queue_ms": measured.queue_ms} if measured is not None else {}
        facts = {"verdict": result.verdict, "cause": result.cause, "language": completed.language}
        _LOG.info("execution completed", extra={**_ids(completed), **facts, **times})
        phases = {name: getattr(measured, f"{name}_ms", None) for name in _PHASES}
        known = {name: time_ms / 1000 for name, time_ms in phases.items() if time_ms is not None}
        self.metrics.count_run(completed.language, result.verdict, known)

    def _store(self, completed: ExecutionCompleted, store_secs: float) -> ExecutionCompleted | NotRun:
        try:
            return persist(
                lambda: self.transport.without_large_output(completed),
                error=TransportError,
                stop=self.quit_now,
                give_up_secs=store_secs,
            )
        except TransportError as error:
            _log_not_sent(completed, error.operation, error.code)
            return NotRun.OUTPUT_NOT_STORED


def _log_not_sent(completed: ExecutionCompleted, step: str, code: str) -> None:
    _LOG.error("completion not sent", extra={**_ids(completed), "step": step, "code": code})


def _log_sandbox_failure(request: ExecutionRequested, correlation_id: str | None, error: JailError) -> None:
    facts = {"step": error.step, "target": error.target, "errno": error.errno, "problem": error.hint}
    _LOG.error("sandbox failed", extra={**_ids(request), "correlation_id": correlation_id, **facts})


def _ids(message: ExecutionRequested | ExecutionCompleted) -> dict[str, str | None]:
    own = message.correlation_id if isinstance(message, ExecutionCompleted) else None
    return {
        "correlation_id": own,
        "submission_id": message.submission_id,
        "execution_id": message.execution_id,
    }
