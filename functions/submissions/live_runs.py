"""Runs that are not final: cancel them, and read their output.

A cancellation has an order that a crash may cut anywhere:

1. The row is marked, and due soon: the sweeper ends the row if nothing else does.
2. An object tells runners not to start its message.
3. Its runner is told, directly or by its control object. A run that has begun ends with the runner's completion.
4. A row that no runner has begun gets its final state here.
"""

from dataclasses import dataclass

from botocore.exceptions import ClientError

from events.runner import execution_tag, is_execution_tag
from events.vocabulary import Cause
from functions.aws.payloads import WHOLE_OUTPUT_MAX_BYTES, Payloads
from functions.clock import MS_PER_SEC, from_rfc3339
from functions.env import Env
from functions.errors import ConflictError, NotFoundError, UnavailableError
from functions.failpoint import reach
from functions.http.long_poll import FIRST_STEP_SECS, GROWTH, LONGEST_STEP_SECS, LongPoll
from functions.projects.quota_store import QuotaStore
from functions.submissions.completion import Completer, cancelled
from functions.submissions.direct import DirectRunners, RunnerUnavailableError
from functions.submissions.model import Status, Submission
from functions.submissions.results.results import NO_SUCH_RESULT, Deletion, Results, Stream
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
        if row.status is Status.RUNNING or (row.network and not row.is_final):
            row = self._ended(row, long_poll)
        if row.network and self._may_report_bytes(row):
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


# Read the output of a submission, also while it runs: docs/adr/0034-output-is-pulled-from-the-runner.md.
#
# The runner that the direct path reaches has it. Another runner puts it into the bucket. The result has it in the
# end.

PART_MAX_BYTES = 131_072
CALL_SECS = 5.0
"""A call of the runner waits at most so long: then the row is read again, and the client may be gone."""
RENEWED_SECS = 10.0
"""A runner puts the output of a watched run for three times as long."""


@dataclass(frozen=True, slots=True)
class Part:
    """Output from an offset. `row`: the submission as it was then. `is_end`: it is final, and there is no more.

    `execution`: whose output it is; None: none has begun, or its runner is older and does not name it.
    """

    row: Submission
    content: bytes
    execution: str | None
    is_end: bool = False


class LiveOutput:
    """Reads outputs of runs."""

    def __init__(self, env: Env) -> None:
        self.results = env[Results]
        self.payloads = env[Payloads]
        self.direct = env[DirectRunners]
        self.control = env[ControlObjects]
        self.log = env.log

    def read(self, row: Submission, stream: Stream, after: int, secs: float, long_poll: LongPoll) -> Part:
        """Return output from the offset `after`. Wait for it for `secs`. Raises NotFoundError."""
        source = _Source(self, stream, after, long_poll)
        deadline, step = long_poll.monotonic() + secs, FIRST_STEP_SECS
        while not row.is_final:
            begun = long_poll.monotonic()
            left_secs = max(0.0, long_poll.left_secs(deadline))
            content = source.read(row, min(left_secs, CALL_SECS))
            if content or left_secs <= 0:
                return Part(row, content, source.execution)
            # The runner has waited, unless the run is not there or has just ended.
            long_poll.sleep(max(0.0, min(step, left_secs) - (long_poll.monotonic() - begun)))
            step = min(step * GROWTH, LONGEST_STEP_SECS)
            latest = self.results.find(row.submission_id, row.project_id)
            if latest is None:
                raise NotFoundError(NO_SUCH_RESULT)
            row = latest
        whole = self.results.output(row, stream, min(after + PART_MAX_BYTES + 1, WHOLE_OUTPUT_MAX_BYTES))
        content = whole[after : after + PART_MAX_BYTES]
        has_run = row.node_id is not None and row.started_at is not None
        execution = execution_tag(row.node_id or "", row.started_at or "") if has_run else None
        return Part(row, content, execution, is_end=after + len(content) >= len(whole))


@dataclass(slots=True)
class _Source:
    """Where one request finds the output of a run that goes on: its runner, or the object that its runner puts."""

    of: LiveOutput
    stream: Stream
    after: int
    long_poll: LongPoll
    is_in_bucket: bool = False
    watched_until: float = 0.0
    execution: str | None = None
    problem: Exception | None = None

    def read(self, row: Submission, wait_secs: float) -> bytes:
        """Return output, perhaps after a wait. Empty: there is none."""
        try:
            if not self.is_in_bucket:
                has_begun = row.status is Status.RUNNING and row.node_id is not None
                content, is_there, execution = self._ask(row, wait_secs, has_begun=has_begun)
                self._name(execution)
                if is_there or not has_begun:
                    return content
                self.is_in_bucket = True  # another runner has it, or one without a direct path
            return self._stored(row)
        except (RunnerUnavailableError, UnavailableError, ClientError) as error:
            if self.problem is None:  # one line for each request
                self.problem = error
                warn(self.of.log, "Output of a run not read", row.log_ids, error, str(error))
            return b""

    def _name(self, execution: str) -> None:
        self.execution = execution if is_execution_tag(execution) else None

    def _ask(self, row: Submission, wait_secs: float, *, has_begun: bool) -> tuple[bytes, bool, str]:
        runner = self.of.direct.of(row)
        if runner is None:
            return b"", False, ""
        return runner.read_output(row.submission_id, self.stream, self.after, wait_secs, has_begun=has_begun)

    def _stored(self, row: Submission) -> bytes:
        now = self.long_poll.monotonic()
        if row.node_id is not None and now >= self.watched_until:
            self.of.control.watch(row.node_id, row.submission_id)
            self.watched_until = now + RENEWED_SECS
        most = self.after + PART_MAX_BYTES
        content, execution = self.of.payloads.get_live_output(row.submission_id, self.stream, most)
        self._name(execution)
        return content[self.after :]
