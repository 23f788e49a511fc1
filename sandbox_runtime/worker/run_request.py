"""Run one request: the use case of both intakes, `queue_intake` and `direct_intake`.

An intake parses a request, claims its submission, takes its turns in slots, and answers.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import BoundedSemaphore
from time import monotonic

from events.judged import Completed, JudgeCompleted
from events.message import format_time
from events.requested import Addressee, ExecutionRequested, JudgeAddressee, JudgeRequested, Requested
from events.runner import ExecutionStarted, execution_tag
from events.vocabulary import Cause
from sandbox_runtime.executor import not_run
from sandbox_runtime.judging import not_judged
from sandbox_runtime.worker.file_cache import NO_FILES, FetchedFiles, Fetcher
from sandbox_runtime.worker.judge_turns import JudgeTurns
from sandbox_runtime.worker.reports import COMPLETION_GIVE_UP_SECS, BatchSender, Outgoing
from sandbox_runtime.worker.turns import ExecutionTurn, NotRun, RunnerParts, Turns, ids_of, log_not_sent

# With more unsent completions, slots wait: the memory of this process is bounded.
MOST_UNSENT = 10
_PHASES = ("queue", "setup", "compile", "run")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RequestRunner:
    """Runs requests in slots, and sends their completions."""

    parts: RunnerParts
    sender: BatchSender
    unsent: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(MOST_UNSENT))

    @property
    def fetcher(self) -> Fetcher:
        """Fetches the stored files of requests, before they have a slot."""
        return self.parts.fetcher

    def obstacle(self, request: Requested) -> NotRun | None:
        """Return why this runner never runs the request; None if it does."""
        if request.language not in self.parts.languages:
            return NotRun.LANGUAGE_NOT_OFFERED
        if not self.parts.fetcher.offers(request):
            return NotRun.FILES_NOT_OFFERED
        needs_network = isinstance(request, ExecutionRequested) and (
            request.network is not None or request.secrets is not None
        )
        return NotRun.NETWORK_NOT_OFFERED if needs_network and self.parts.networks is None else None

    def begin(
        self,
        request: Requested,
        *,
        correlation_id: str | None,
        store_secs: float,
        is_watched: bool,
        files: FetchedFiles = NO_FILES,
    ) -> Turns:
        """Return the turns of a request: one for an execution, at most one for each case of a judge run.

        `store_secs`: how long to retry to store large output; 0: try once. `is_watched`: send `execution_started` if
        the run lasts; false for a client that waits. A judge run always sends it. `files`: given back at the end.
        """
        started_at = datetime.now(UTC)
        started = ExecutionStarted(
            submission_id=request.submission_id,
            execution_id=request.execution_id,
            node_id=self.parts.node_id,
            started_at=format_time(started_at),
            correlation_id=correlation_id,
        )
        watched = ExitStack()
        watched.callback(files.close)
        stop = watched.enter_context(self.parts.stops.open(request.submission_id))
        if is_watched or isinstance(request, JudgeRequested):
            watched.enter_context(self.parts.long_runs.watch(started))
        if isinstance(request, JudgeRequested):
            return JudgeTurns(self.parts, request, started_at, correlation_id, store_secs, stop, watched, files)
        tag = execution_tag(started.node_id, started.started_at)
        live_output = watched.enter_context(self.parts.live_outputs.open(request.submission_id, tag))
        return ExecutionTurn(
            self.parts, request, started_at, correlation_id, store_secs, stop, live_output, watched, files
        )

    def failed(self, request: Requested | Addressee, cause: Cause, message: str) -> Completed:
        """Build the completion of a request that is never run. `message` is for the client."""
        if isinstance(request, JudgeRequested | JudgeAddressee):
            return not_judged(request, self.parts.node_id, cause, message)
        return not_run(request, self.parts.node_id, cause, message)

    def send(
        self,
        completed: Completed,
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
            log_not_sent(completed, "send", code)
            on_lost()

        self.unsent.acquire()
        self.sender.put(Outgoing(completed.serialise(), sent, lost, monotonic() + COMPLETION_GIVE_UP_SECS))

    def report(self, completed: Completed) -> None:
        """Log the end of a request, after its completion was accepted, and count an execution."""
        measured = completed.metrics
        times = {"run_ms": measured.run_ms, "queue_ms": measured.queue_ms} if measured is not None else {}
        ids = {**ids_of(completed), "language": completed.language}
        if isinstance(completed, JudgeCompleted):  # its runs are counted one by one
            failed = {} if completed.failure is None else {"cause": completed.failure.cause}
            _LOG.info("judge run completed", extra={**ids, **failed, **times})
            return
        result = completed.result
        _LOG.info("execution completed", extra={**ids, "verdict": result.verdict, "cause": result.cause, **times})
        phases = {name: getattr(measured, f"{name}_ms", None) for name in _PHASES}
        known = {name: time_ms / 1000 for name, time_ms in phases.items() if time_ms is not None}
        self.parts.metrics.count_run(completed.language, result.verdict, known)
