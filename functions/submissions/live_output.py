"""Read the output of a submission, also while it runs: docs/adr/0034-output-is-pulled-from-the-runner.md.

The runner that the direct path reaches has it. The result has it in the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.aws.payloads import WHOLE_OUTPUT_MAX_BYTES
from functions.errors import NotFoundError
from functions.http.long_poll import FIRST_STEP_SECS, GROWTH, LONGEST_STEP_SECS
from functions.submissions.results.results import NO_SUCH_RESULT
from functions.submissions.run.runner_connections import RunnerUnavailableError
from functions.telemetry import warn

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.http.long_poll import LongPoll
    from functions.submissions.model import Submission
    from functions.submissions.results.output import Stream
    from functions.submissions.results.results import Results
    from functions.submissions.run.direct_runners import DirectRunners

PART_MAX_BYTES = 131_072
CALL_SECS = 5.0
"""A call of the runner waits at most so long: then the row is read again, and the client may be gone."""


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
    log: Logger

    def read(self, row: Submission, stream: Stream, after: int, secs: float, long_poll: LongPoll) -> Part:
        """Return output from the offset `after`. Wait for it for `secs`. Raises NotFoundError."""
        deadline, step, problem = long_poll.monotonic() + secs, FIRST_STEP_SECS, None
        while not row.is_final:
            begun = long_poll.monotonic()
            left_secs = max(0.0, long_poll.left_secs(deadline))
            content = b""
            try:
                content = self._ask(row, stream, after, min(left_secs, CALL_SECS))
            except RunnerUnavailableError as error:
                if problem is None:  # one line for each request
                    problem = error
                    warn(self.log, "Output not read from the runner", row.log_ids, error, str(error))
            if content or left_secs <= 0:
                return Part(row, content)
            # It has waited, unless the run is not there or has just ended.
            long_poll.sleep(max(0.0, min(step, left_secs) - (long_poll.monotonic() - begun)))
            step = min(step * GROWTH, LONGEST_STEP_SECS)
            latest = self.results.find(row.submission_id, row.project_id)
            if latest is None:
                raise NotFoundError(NO_SUCH_RESULT)
            row = latest
        whole = self.results.output(row, stream, min(after + PART_MAX_BYTES + 1, WHOLE_OUTPUT_MAX_BYTES))
        content = whole[after : after + PART_MAX_BYTES]
        return Part(row, content, is_end=after + len(content) >= len(whole))

    def _ask(self, row: Submission, stream: Stream, after: int, wait_secs: float) -> bytes:
        runner = self.direct.of(row)
        return b"" if runner is None else runner.read_output(row.submission_id, stream, after, wait_secs)
