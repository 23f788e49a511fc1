"""The only turn of an execution: run it, and store its artifacts and its large output."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from events.completed import ExecutionCompleted
from events.judged import Completed
from events.requested import ExecutionRequested
from events.vocabulary import Cause
from sandbox_runtime.executor import ExecutionDrainedError, execute, not_run, slot_is_suspect
from sandbox_runtime.executor.live_output import LiveOutput
from sandbox_runtime.executor.run_stop import RunStop
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.languages import RequestRefusedError
from sandbox_runtime.network import NetworkError
from sandbox_runtime.prewarm import PrewarmedSlot
from sandbox_runtime.retry import persist
from sandbox_runtime.transport import TransportError
from sandbox_runtime.worker.files.fetching import FetchedFiles
from sandbox_runtime.worker.large_output import ids_of, log_not_sent, store_large_output
from sandbox_runtime.worker.not_run import NOT_BEGUN, NotRun, log_sandbox_failure
from sandbox_runtime.worker.runner_parts import RunnerParts
from sandbox_runtime.worker.turns import Turns


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
        if request.network is not None and parts.networks is None:
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
