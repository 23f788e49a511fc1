"""One judge request under way: it judges cases in the slot that the share policy gives, until another run wants it."""

import logging
from contextlib import ExitStack
from datetime import datetime
from threading import Lock

from events import MessageInvalidError
from events.files import StoredFile
from events.judged import CaseResult, Completed, JudgeCompleted, JudgeProgress
from events.message import format_time
from events.requested import JudgeRequested, Judging
from events.vocabulary import Cause
from sandbox_runtime.executor import ExecutionDrainedError
from sandbox_runtime.executor.step_runs import RunStop
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.judging import JudgeRun, Setting, not_judged
from sandbox_runtime.languages import RequestRefusedError
from sandbox_runtime.prewarm import PrewarmedSlot
from sandbox_runtime.retry import persist
from sandbox_runtime.transport import TransportError
from sandbox_runtime.worker.file_cache import FetchedFiles, FileMismatchError, FilesUnavailableError
from sandbox_runtime.worker.turns import NOT_BEGUN, NotRun, RunnerParts, Turns, log_sandbox_failure, store_large_output

_LOG = logging.getLogger(__name__)


class JudgeTurns(Turns):
    """The turns of one judge request. `store_secs`: how long to retry to store an output; 0: try once.

    `watched`: closed at the end; until then it may be stopped, and `execution_started` may be sent.
    """

    def __init__(
        self,
        parts: RunnerParts,
        request: JudgeRequested,
        started_at: datetime,
        correlation_id: str | None,
        store_secs: float,
        stop: RunStop,
        watched: ExitStack,
        files: FetchedFiles,
    ) -> None:
        self._parts, self._request, self._started_at = parts, request, started_at
        self._correlation_id, self._store_secs = correlation_id, store_secs
        self._stop, self._watched, self._files = stop, watched, files
        self._run: JudgeRun | None = None
        self._report_lock = Lock()
        self._has_failed = False

    @property
    def case_secs(self) -> float:
        return 0.0 if self._run is None else self._run.case_secs

    def take(self, slot: PrewarmedSlot) -> tuple[Completed | NotRun | None, bool]:
        """Judge at least one case. Without an answer there are more. The flag: whether the slot may be used again."""
        try:
            if self._run is None:
                begun = self._obstacle() or self._begin()
                if not isinstance(begun, JudgeRun):
                    return self._ended(begun if isinstance(begun, NotRun) else self._correlated(begun)), True
                self._run = begun
                self._report([])
            is_usable = self._judge(self._run, slot)
        except (ExecutionDrainedError, TransportError, FileMismatchError, FilesUnavailableError) as error:
            return self._ended(self._stopped_by(error)), slot.healthy
        except JailError as error:
            log_sandbox_failure(self._ids(), error)
            return self._ended(NotRun.SANDBOX_FAILED), False
        except BaseException:
            self._end_reports()
            raise
        if not self._run.is_over:
            return None, is_usable
        return self._ended(self._stored(self._run)), is_usable

    def _judge(self, run: JudgeRun, slot: PrewarmedSlot) -> bool:
        """Judge cases until another run wants the slot; in a second slot too, if one is free."""
        second_slots, request = self._parts.second_slots, self._request

        def beside(other: PrewarmedSlot) -> bool:
            return self._judge_in(other, run, is_shared=True)

        while True:
            if run.shareable > 1:
                with second_slots.lend(request.project_id, request.submission_id, beside) as is_shared:
                    is_usable = self._judge_in(slot, run, is_shared=is_shared)
            else:
                is_usable = self._judge_in(slot, run, is_shared=False)
            if run.is_over or not is_usable or not second_slots.may_keep(slot):
                return is_usable

    def _judge_in(self, slot: PrewarmedSlot, run: JudgeRun, *, is_shared: bool) -> bool:
        """Judge one case; beside another slot, all that the two may share. False: the slot must not be used again."""
        try:
            while True:
                is_usable = run.turn(slot, is_shared=is_shared) and slot.healthy
                with self._report_lock:  # in the order of the cases
                    self._report(run.new_results())
                goes_on = is_shared and is_usable and run.shareable and not self._has_failed
                if not goes_on or not self._parts.second_slots.may_keep(slot):
                    return is_usable
        except BaseException:
            self._has_failed = True  # the other slot ends after its case
            raise

    def _obstacle(self) -> JudgeCompleted | NotRun | None:
        """Return why the request does not run, or not here."""
        if self._stop.is_cancelled:
            return not_judged(self._request, self._parts.node_id, Cause.CANCELLED_BEFORE_START, NOT_BEGUN)
        if not self._parts.fetcher.offers(self._request):
            return NotRun.FILES_NOT_OFFERED
        if self._files.is_missing:
            return NotRun.FILES_NOT_FETCHED
        refusal = self._files.refusal
        return not_judged(self._request, self._parts.node_id, Cause.IE_NOT_RUN, refusal) if refusal else None

    def _begin(self) -> JudgeRun | JudgeCompleted | NotRun:
        request, parts = self._request, self._parts
        try:
            judging = self._judging()
            needed = {checker.program.language for checker in judging.checkers if checker.program is not None}
            if not needed | {request.language} <= parts.languages.keys():
                return NotRun.LANGUAGE_NOT_OFFERED
            setting = Setting(
                node_id=parts.node_id,
                languages=parts.languages,
                compile_cache=parts.compile_cache,
                stop=self._stop,
                store=self._store,
                interactor_slot=parts.interactor_slots.borrow,
                read=self._read,
                inputs_folder=self._files.path,
            )
            return JudgeRun(request, judging, setting, self._started_at)
        except TransportError as error:
            self._log_failed_call("cases not read", error)
            return NotRun.CASES_NOT_READ
        except (FileMismatchError, FilesUnavailableError) as error:
            return self._unread(error)
        except MessageInvalidError as error:
            _LOG.error("cases invalid", extra={**self._ids(), "field": error.field, "problem": error.problem})
            return not_judged(
                request, parts.node_id, Cause.IE_NOT_RUN, "the request to run this submission was invalid"
            )
        except RequestRefusedError as error:
            return not_judged(request, parts.node_id, Cause.IE_NOT_RUN, str(error))

    def _judging(self) -> Judging:
        request = self._request
        if request.judging is not None:
            return request.judging
        if request.judging_object is not None:
            return Judging.parse(self._read(request.judging_object))
        return Judging.parse(self._parts.transport.read_cases(request.judging_key or ""))

    def _read(self, stored: StoredFile) -> bytes:
        return self._parts.fetcher.read(self._request.project_id, stored)

    def _stopped_by(
        self, error: ExecutionDrainedError | TransportError | FileMismatchError | FilesUnavailableError
    ) -> JudgeCompleted | NotRun:
        if isinstance(error, ExecutionDrainedError):
            return NotRun.DRAINING
        if isinstance(error, TransportError):
            self._log_failed_call("output of a case not stored", error)
            return NotRun.OUTPUT_NOT_STORED
        return self._unread(error)

    def _unread(self, error: FileMismatchError | FilesUnavailableError) -> JudgeCompleted | NotRun:
        """Return the end of a judge run whose cases are not there."""
        _LOG.error("cases not read", extra={**self._ids(), "problem": str(error)})
        if isinstance(error, FilesUnavailableError):
            return NotRun.CASES_NOT_READ
        text = "a stored file of this problem is not the one that it names"
        return self._correlated(not_judged(self._request, self._parts.node_id, Cause.IE_NOT_RUN, text))

    def _store(self, index: int, output: bytes) -> str:
        return persist(
            lambda: self._parts.transport.store_case_output(self._request, index, output),
            error=TransportError,
            stop=self._parts.quit_now,
            give_up_secs=self._store_secs,
        )

    def _stored(self, run: JudgeRun) -> Completed | NotRun:
        return store_large_output(self._correlated(run.completed()), self._parts, self._store_secs)

    def _report(self, cases: list[CaseResult]) -> None:
        """Count the runs of these cases, and report them if the judge run goes on."""
        request, parts = self._request, self._parts
        for case in cases:
            if case.run is not None:
                secs = {"run": case.run.wall_time_secs}
                parts.metrics.count_run(request.language, case.run.result.verdict, secs)
        started_at = format_time(self._started_at)
        parts.progress.add(
            JudgeProgress(
                submission_id=request.submission_id,
                execution_id=request.execution_id,
                node_id=parts.node_id,
                started_at=started_at,
                sent_at=started_at,
                cases=tuple(cases),
                correlation_id=self._correlation_id,
            )
        )

    def _log_failed_call(self, phrase: str, error: TransportError) -> None:
        _LOG.error(phrase, extra={**self._ids(), "step": error.operation, "code": error.code})

    def _ended(self, answer: Completed | NotRun) -> Completed | NotRun:
        self._end_reports()
        return answer

    def _end_reports(self) -> None:
        self._watched.close()
        self._parts.progress.drop(self._request.execution_id)

    def _correlated(self, answer: JudgeCompleted) -> JudgeCompleted:
        return answer.changed(correlation_id=self._correlation_id)

    def _ids(self) -> dict[str, str | None]:
        request = self._request
        return {
            "correlation_id": self._correlation_id,
            "submission_id": request.submission_id,
            "execution_id": request.execution_id,
        }
