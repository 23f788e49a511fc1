"""The turns of one request: the part of its work that it does each time it has a slot."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from threading import Event

from events.completed import ExecutionCompleted
from events.judged import Completed, JudgeCompleted
from events.requested import ExecutionRequested
from events.vocabulary import Cause
from sandbox_runtime.executor import CompileCache, ExecutionDrainedError, Networks, execute, not_run, slot_is_suspect
from sandbox_runtime.executor.live_output import LiveOutput
from sandbox_runtime.executor.step_runs import RunStop
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.languages import Language, RequestRefusedError
from sandbox_runtime.metrics import Metrics
from sandbox_runtime.network import NetworkError
from sandbox_runtime.prewarm import PrewarmedSlot
from sandbox_runtime.retry import persist
from sandbox_runtime.transport import Transport, TransportError
from sandbox_runtime.worker.control import LiveOutputs, RunStops
from sandbox_runtime.worker.file_cache import FetchedFiles, Fetcher
from sandbox_runtime.worker.reports import LongRuns, ProgressReports
from sandbox_runtime.worker.slots import InteractorSlots, SecondSlots

# Why a request has no completion.

_LOG = logging.getLogger(__name__)


NOT_BEGUN = "the run was cancelled before it began"


class NotRun(StrEnum):
    """Why a request has no completion. It must run again, here or on another runner."""

    LANGUAGE_NOT_OFFERED = "language_not_offered"
    NETWORK_NOT_OFFERED = "network_not_offered"
    FILES_NOT_OFFERED = "files_not_offered"
    FILES_NOT_FETCHED = "files_not_fetched"
    DRAINING = "draining"
    SANDBOX_FAILED = "sandbox_failed"
    OUTPUT_NOT_STORED = "output_not_stored"
    CASES_NOT_READ = "cases_not_read"


def log_sandbox_failure(ids: Mapping[str, str | None], error: JailError | NetworkError) -> None:
    """Log why the sandbox of a request failed, or its network."""
    facts: dict[str, object] = {"step": error.step}
    if isinstance(error, NetworkError):
        facts["problem"] = error.problem
    else:
        facts |= {"target": error.target, "errno": error.errno, "problem": error.hint}
    _LOG.error("sandbox failed", extra={**ids, **facts})


class Turns(ABC):
    """An execution has one turn; a judge run has as many as the share policy leaves it."""

    @property
    def case_secs(self) -> float:
        return 0.0

    @abstractmethod
    def take(self, slot: PrewarmedSlot) -> tuple[Completed | NotRun | None, bool]:
        """Work in a slot. Returns the answer, and whether the slot may be used again.

        Without an answer the request needs another turn, in this slot or another one.
        """


# The parts of a runner that all its requests share.


@dataclass(frozen=True, slots=True)
class RunnerParts:
    """`stops` and `live_outputs`: of the requests under way. `quit_now`: when set, stop every retry.

    `networks`: None: this host cannot give a run the network that it asks for.
    """

    transport: Transport
    languages: Mapping[str, Language]
    node_id: str
    stops: RunStops
    live_outputs: LiveOutputs
    quit_now: Event
    compile_cache: CompileCache
    metrics: Metrics
    long_runs: LongRuns
    progress: ProgressReports
    interactor_slots: InteractorSlots
    second_slots: SecondSlots
    fetcher: Fetcher
    networks: Networks | None = None


# Store the output that a completion message cannot carry.


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


# The only turn of an execution: run it, and store its artifacts and its large output.


@dataclass(frozen=True, slots=True)
class ExecutionTurn(Turns):
    """`store_secs`: how long to retry to store large output; 0: try once.

    `watched`: closed at the end; until then it may be stopped, and `execution_started` may be sent.
    """

    parts: RunnerParts
    request: ExecutionRequested
    started_at: datetime
    correlation_id: str | None
    store_secs: float
    stop: RunStop
    live_output: LiveOutput
    watched: ExitStack
    files: FetchedFiles

    def take(self, slot: PrewarmedSlot) -> tuple[Completed | NotRun, bool]:
        """Run it. The flag: whether the slot may be used again."""
        with self.watched:
            obstacle = self._obstacle()
            if obstacle is not None:
                return obstacle, True
            try:
                return self._execute(slot)
            except TransportError as error:
                log_not_sent(self.request, error.operation, error.code)
                return NotRun.OUTPUT_NOT_STORED, slot.healthy

    def _obstacle(self) -> Completed | NotRun | None:
        """Return why the request does not run, or not here."""
        parts, request = self.parts, self.request
        if self.stop.is_cancelled:
            return self._correlated(not_run(request, parts.node_id, Cause.CANCELLED_BEFORE_START, NOT_BEGUN))
        if request.needs_network and parts.networks is None:
            return NotRun.NETWORK_NOT_OFFERED
        if not parts.fetcher.offers(request):
            return NotRun.FILES_NOT_OFFERED
        if self.files.is_missing:
            return NotRun.FILES_NOT_FETCHED
        refusal = self.files.refusal
        return self._correlated(not_run(request, parts.node_id, Cause.IE_NOT_RUN, refusal)) if refusal else None

    def _execute(self, slot: PrewarmedSlot) -> tuple[Completed | NotRun, bool]:
        parts, request = self.parts, self.request
        language = parts.languages.get(request.language)
        if language is None:
            return NotRun.LANGUAGE_NOT_OFFERED, True
        try:
            completed = execute(
                slot,
                request,
                language,
                node_id=parts.node_id,
                started_at=self.started_at,
                stop=self.stop,
                compile_cache=parts.compile_cache,
                networks=parts.networks,
                inputs_folder=self.files.path,
                store_artifact=self._store_artifact,
                live_output=self.live_output,
            )
        except RequestRefusedError as error:
            return self._correlated(not_run(request, parts.node_id, Cause.IE_NOT_RUN, str(error))), True
        except ExecutionDrainedError:
            return NotRun.DRAINING, slot.healthy
        except (JailError, NetworkError) as error:
            log_sandbox_failure({**ids_of(request), "correlation_id": self.correlation_id}, error)
            return NotRun.SANDBOX_FAILED, slot.healthy and isinstance(error, NetworkError)
        is_usable = slot.healthy and not slot_is_suspect(completed.result)
        return store_large_output(self._correlated(completed), parts, self.store_secs), is_usable

    def _store_artifact(self, number: int, content: bytes) -> str:
        return persist(
            lambda: self.parts.transport.store_artifact(self.request, number, content),
            error=TransportError,
            stop=self.parts.quit_now,
            give_up_secs=self.store_secs,
        )

    def _correlated(self, completed: ExecutionCompleted) -> ExecutionCompleted:
        return completed.changed(correlation_id=self.correlation_id)
