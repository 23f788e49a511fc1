"""Read the output of a submission, also while it runs: docs/adr/0034-output-is-pulled-from-the-runner.md.

The runner that the direct path reaches has it. Another runner puts it into the bucket. The result has it in the end.
"""

from dataclasses import dataclass

from botocore.exceptions import ClientError

from events.runner import execution_tag, is_execution_tag
from functions.aws.payloads import WHOLE_OUTPUT_MAX_BYTES, Payloads
from functions.env import Env
from functions.errors import NotFoundError, UnavailableError
from functions.http.long_poll import FIRST_STEP_SECS, GROWTH, LONGEST_STEP_SECS, LongPoll
from functions.submissions.direct import DirectRunners, RunnerUnavailableError
from functions.submissions.model import Status, Submission
from functions.submissions.results.results import NO_SUCH_RESULT, Results, Stream
from functions.submissions.runners.store import ControlObjects
from functions.telemetry import warn

PART_MAX_BYTES = 131_072
CALL_SECS = 5.0
"""A call of the runner waits at most so long: then the row is read again, and the client may be gone."""
_NONE = execution_tag("", "")
"""Of a final run without an execution: a client that has read from a lost one sees a change, and begins again."""
BUCKET_STEP_SECS = 1.0
"""A runner puts an object once a second at most: reads in between would find nothing, and cost."""
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
            step = BUCKET_STEP_SECS if source.is_in_bucket else min(step * GROWTH, LONGEST_STEP_SECS)
            latest = self.results.find(row.submission_id, row.project_id)
            if latest is None:
                raise NotFoundError(NO_SUCH_RESULT)
            row = latest
        whole = self.results.output(row, stream, min(after + PART_MAX_BYTES + 1, WHOLE_OUTPUT_MAX_BYTES))
        content = whole[after : after + PART_MAX_BYTES]
        # A result without a runner's numbers is not of the execution that its row may name: that one was lost.
        has_run = row.metrics is not None and row.node_id is not None and row.started_at is not None
        execution = execution_tag(row.node_id or "", row.started_at or "") if has_run else _NONE
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
