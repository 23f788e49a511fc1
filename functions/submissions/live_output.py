"""Read the output of a submission, also while it runs: docs/adr/0034-output-is-pulled-from-the-runner.md.

The runner that the direct path reaches has it. Another runner puts it into the bucket. The result has it in the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions.aws.payloads import WHOLE_OUTPUT_MAX_BYTES
from functions.errors import NotFoundError, UnavailableError
from functions.http.long_poll import FIRST_STEP_SECS, GROWTH, LONGEST_STEP_SECS
from functions.submissions.model import Status
from functions.submissions.results.results import NO_SUCH_RESULT
from functions.submissions.run.runner_client import RunnerUnavailableError
from functions.telemetry import warn

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.http.long_poll import LongPoll
    from functions.submissions.model import Submission
    from functions.submissions.results.outputs import Stream
    from functions.submissions.results.results import Results
    from functions.submissions.run.runner_client import DirectRunners
    from functions.submissions.runners.control_objects import ControlObjects

PART_MAX_BYTES = 131_072
CALL_SECS = 5.0
"""A call of the runner waits at most so long: then the row is read again, and the client may be gone."""
RENEWED_SECS = 10.0
"""A runner puts the output of a watched run for three times as long."""


@dataclass(frozen=True, slots=True)
class Part:
    """Output from an offset. `row`: the submission as it was then. `is_end`: it is final, and there is no more."""

    row: Submission
    content: bytes
    is_end: bool = False


@dataclass(frozen=True, slots=True)
class LiveOutput:
    """Reads outputs."""

    results: Results
    direct: DirectRunners
    control: ControlObjects
    log: Logger

    def read(self, row: Submission, stream: Stream, after: int, secs: float, long_poll: LongPoll) -> Part:
        """Return output from the offset `after`. Wait for it for `secs`. Raises NotFoundError."""
        source = _Source(self, stream, after, long_poll)
        deadline, step = long_poll.monotonic() + secs, FIRST_STEP_SECS
        while not row.is_final:
            begun = long_poll.monotonic()
            left_secs = max(0.0, long_poll.left_secs(deadline))
            content = source.read(row, min(left_secs, CALL_SECS))
            if content or left_secs <= 0:
                return Part(row, content)
            # The runner has waited, unless the run is not there or has just ended.
            long_poll.sleep(max(0.0, min(step, left_secs) - (long_poll.monotonic() - begun)))
            step = min(step * GROWTH, LONGEST_STEP_SECS)
            latest = self.results.find(row.submission_id, row.project_id)
            if latest is None:
                raise NotFoundError(NO_SUCH_RESULT)
            row = latest
        whole = self.results.output(row, stream, min(after + PART_MAX_BYTES + 1, WHOLE_OUTPUT_MAX_BYTES))
        content = whole[after : after + PART_MAX_BYTES]
        return Part(row, content, is_end=after + len(content) >= len(whole))


@dataclass(slots=True)
class _Source:
    """Where one request finds the output of a run that goes on: its runner, or the object that its runner puts."""

    of: LiveOutput
    stream: Stream
    after: int
    long_poll: LongPoll
    is_in_bucket: bool = False
    watched_until: float = 0.0
    problem: Exception | None = None

    def read(self, row: Submission, wait_secs: float) -> bytes:
        """Return output, perhaps after a wait. Empty: there is none."""
        try:
            if not self.is_in_bucket:
                has_begun = row.status is Status.RUNNING and row.node_id is not None
                content, is_there = self._ask(row, wait_secs, has_begun=has_begun)
                if is_there or not has_begun:
                    return content
                self.is_in_bucket = True  # another runner has it, or one without a direct path
            return self._stored(row)
        except (RunnerUnavailableError, UnavailableError, ClientError) as error:
            if self.problem is None:  # one line for each request
                self.problem = error
                warn(self.of.log, "Output of a run not read", row.log_ids, error, str(error))
            return b""

    def _ask(self, row: Submission, wait_secs: float, *, has_begun: bool) -> tuple[bytes, bool]:
        runner = self.of.direct.of(row)
        if runner is None:
            return b"", False
        return runner.read_output(row.submission_id, self.stream, self.after, wait_secs, has_begun=has_begun)

    def _stored(self, row: Submission) -> bytes:
        now = self.long_poll.monotonic()
        if row.node_id is not None and now >= self.watched_until:
            self.of.control.watch(row.node_id, row.submission_id)
            self.watched_until = now + RENEWED_SECS
        most = self.after + PART_MAX_BYTES
        return self.of.results.payloads.get_live_output(row.submission_id, self.stream, most)[self.after :]
