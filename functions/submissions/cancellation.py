"""Cancel a submission.

It has an order that a crash may cut anywhere:

1. The row is marked, and due soon: the sweeper ends the row if nothing else does.
2. An object tells runners not to start its message.
3. Its runner is told, directly or by its control object. A run that has begun ends with the runner's completion.
4. A row that no runner has begun gets its final state here.
"""

from events.vocabulary import Cause
from functions.aws.payloads import Payloads
from functions.clock import MS_PER_SEC, from_rfc3339
from functions.env import Env
from functions.errors import ConflictError, NotFoundError
from functions.failpoint import reach
from functions.http.long_poll import LongPoll
from functions.projects.quota_store import QuotaStore
from functions.submissions.completion import Completer, cancelled
from functions.submissions.direct import DirectRunners, RunnerUnavailableError
from functions.submissions.model import Status, Submission
from functions.submissions.results.results import Deletion
from functions.submissions.runners.store import ControlObjects, RunnerStore
from functions.submissions.store import SubmissionStore
from functions.telemetry import warn

DUE_SECS = 15
"""A runner has ended a run that it was told to stop long before; else the sweeper ends it."""
END_SECS = 5.0
"""How long a deletion waits for the end of a run."""
LATE_REPORT_MS = 30_000
"""A runner that began a run just before its cancellation has stopped it by then, and has reported it."""
MOST_TOLD = 50
"""Runners that are told of a direct run whose runner is not known."""
_NOT_ENDED = "The run is cancelled, and has not ended yet. Repeat the request in a few seconds to delete it."
_BYTES_PENDING = (
    "The run is cancelled, but a runner may have begun it just before, and reports the bytes that it sent. "
    "Repeat the request in 30 seconds to delete it."
)
_GONE = "There is no such submission."


class Cancellation:
    """Cancels submissions."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._submissions = env[SubmissionStore]
        self._completer = env[Completer]
        self._payloads = env[Payloads]
        self._quotas = env[QuotaStore]
        self._direct = env[DirectRunners]
        self._control = env[ControlObjects]
        self._clock = env.clock

    def cancel(self, row: Submission) -> Submission:
        """Cancel a submission; repeating it is safe. Returns its row, which may be final. Raises NotFoundError."""
        if row.is_final:
            return row
        self._submissions.mark_cancelled(row.submission_id, self._clock() + DUE_SECS * MS_PER_SEC)
        reach("cancel.after_mark")
        self._payloads.mark_over(row.submission_id)
        reach("cancel.before_tell")
        was_running = self._tell(row)
        reach("cancel.after_tell")
        latest = self._latest(row)
        if not was_running and not latest.is_final:
            latest = self._stop(latest)
        if not latest.is_final:
            self._quotas.release(row.quota_claim)  # its end releases it too, which changes nothing more
        return latest

    def delete(self, row: Submission, long_poll: LongPoll) -> None:
        """Stop a submission, and delete it with all its data. Raises NotFoundError, ConflictError."""
        # Bytes of a run with network count at its end, and without its row nobody would count them.
        if row.status is Status.RUNNING or (row.needs_network and not row.is_final):
            row = self._ended(row, long_poll)
        if row.needs_network and self._may_report_bytes(row):
            raise ConflictError(_BYTES_PENDING)
        self._env[Deletion].delete(row)
        if not row.is_final:
            self._tell(row)  # a runner may have it, or begin it

    def _ended(self, row: Submission, long_poll: LongPoll) -> Submission:
        """Cancel a submission, and return its final row. Raises NotFoundError, and ConflictError if that takes long."""
        ended = long_poll.wait(
            self.cancel(row), lambda: self._submissions.get(row.submission_id), lambda latest: latest.is_final, END_SECS
        )
        if ended is None:
            raise NotFoundError(_GONE)
        if not ended.is_final:
            raise ConflictError(_NOT_ENDED)
        return ended

    def _may_report_bytes(self, final: Submission) -> bool:
        """Whether a runner may have begun a run with network that was ended as not begun."""
        is_unsure = final.result.get("cause") == Cause.CANCELLED_BEFORE_START
        return is_unsure and self._clock() - from_rfc3339(final.completed_at or "") < LATE_REPORT_MS

    def _tell(self, row: Submission) -> bool:
        """Tell the runner of the direct path. True: it ran there, and is stopped. False: it will not begin there."""
        runner = self._direct.of(row)
        if runner is None:
            return False
        try:
            return runner.cancel(row.submission_id)
        except RunnerUnavailableError as error:
            warn(self._env.log, "Runner not told directly of a cancelled run", row.log_ids, error, str(error))
            return False

    def _stop(self, latest: Submission) -> Submission:
        """Tell the runner that runs it by its control object, or end it if none does."""
        while latest.status is Status.PENDING and not self._runs_somewhere(latest):
            ended = self._completer.complete(latest, cancelled(latest, self._clock()), only_pending=True)
            if ended is not None:
                self._completer.send(ended.hints)
                return ended.submission
            latest = self._latest(latest)  # it has begun or ended meanwhile
        if latest.status is Status.RUNNING and latest.node_id is not None:
            self._control.cancel(latest.node_id, latest.submission_id)
        return latest

    def _runs_somewhere(self, pending: Submission) -> bool:
        """Tell all runners, if there are several, of a direct run: its row does not say which one has it."""
        if not pending.asked_directly:
            return False
        live = [seen.heartbeat.node_id for seen in self._env[RunnerStore].list_recent() if seen.is_live][:MOST_TOLD]
        if len(live) <= 1:  # that one was told
            return False
        for node_id in live:
            self._control.cancel(node_id, pending.submission_id)
        return True

    def _latest(self, row: Submission) -> Submission:
        latest = self._submissions.get(row.submission_id)
        if latest is None:
            raise NotFoundError(_GONE)
        return latest
