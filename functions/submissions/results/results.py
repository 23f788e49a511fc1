"""Read submissions of a project, and answer with their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from functions.aws.payloads import OUTPUT_MAX_BYTES, PayloadMissingError, Payloads
from functions.clock import MS_PER_SEC, Clock, from_rfc3339
from functions.errors import ConflictError, NotFoundError
from functions.http.answers import JSON_TYPE, answer
from functions.http.paths import result_path
from functions.submissions.model import Kind
from functions.submissions.results.compact_views import compact
from functions.submissions.results.output import raw_output, read_output
from functions.submissions.results.response_size import serialise_within
from functions.submissions.results.stored_object import output_answer
from functions.submissions.results.views import WHOLE, Shape, pending_body, program_body, result_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.http.long_poll import LongPoll
    from functions.settings import Settings
    from functions.submissions.model import Submission
    from functions.submissions.results.output import Stream
    from functions.submissions.store import SubmissionStore

NO_SUCH_RESULT = "There is no such submission."
NO_SUCH_PROGRAM = "The program is not kept: its request had no keep_code, or is older than 24 hours."
PROGRAM_KEPT_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Results:
    """Reads submissions and builds their answers."""

    store: SubmissionStore
    payloads: Payloads
    clock: Clock
    kind: Kind = Kind.RUN

    def find(self, submission_id: str, project_id: str) -> Submission | None:
        """Return the project's submission of this kind; None if it is unknown, expired or of another project."""
        row = self.store.get(submission_id)
        if (
            row is None
            or row.kind is not self.kind
            or row.project_id != project_id
            or row.ttl * MS_PER_SEC <= self.clock()
        ):
            return None
        return row

    def get(self, submission_id: str, project_id: str) -> Submission:
        """Like `find`. Raises NotFoundError."""
        row = self.find(submission_id, project_id)
        if row is None:
            raise NotFoundError(NO_SUCH_RESULT)
        return row

    def wait(self, row: Submission, secs: float, long_poll: LongPoll) -> Submission:
        """Poll a submission until it is final, for `secs`; return it as it is then. Raises NotFoundError."""
        latest = long_poll.wait(
            row, lambda: self.find(row.submission_id, row.project_id), lambda latest: latest.is_final, secs
        )
        if latest is None:
            raise NotFoundError(NO_SUCH_RESULT)
        return latest

    def show(
        self, row: Submission, prefix: str, shape: Shape = WHOLE, *, warnings: Sequence[str] = ()
    ) -> Response[str]:
        """Answer with the result object in any state. `prefix`: the stage part of our paths."""
        if not row.is_final:
            pending = pending_body(row)
            return answer(compact(pending) if shape.is_compact else pending)
        stdout, stderr = self.output(row, "stdout"), self.output(row, "stderr")
        body = result_body(row, stdout, stderr, encoding=shape.encoding, warnings=warnings)
        text = serialise_within(
            compact(body) if shape.is_compact else body,
            url=prefix + result_path(row.submission_id),
            is_cut=max(row.stdout_size_bytes, row.stderr_size_bytes) > OUTPUT_MAX_BYTES,
        )
        return Response(status_code=200, content_type=JSON_TYPE, body=text)

    def program(self, row: Submission) -> Response[str]:
        """Answer with the kept request of a run. Raises NotFoundError."""
        expires_ms = from_rfc3339(row.created_at) + PROGRAM_KEPT_MS
        if row.program_key is None or self.clock() >= expires_ms:
            raise NotFoundError(NO_SUCH_PROGRAM)
        try:
            request = self.payloads.get_program(row.submission_id)
        except PayloadMissingError:  # its bucket deletes it a day later, or its project deleted the result
            raise NotFoundError(NO_SUCH_PROGRAM) from None
        return answer(program_body(row, request, expires_ms))

    def raw(self, row: Submission, stream: Stream, settings: Settings) -> Response[Any]:
        """Answer with the exact bytes of one stream. Raises ConflictError before the run is final."""
        if not row.is_final:
            raise ConflictError("The run is not finished, so its output is not complete yet.")
        try:
            return output_answer(settings, self.clock(), self.payloads, raw_output(row, stream))
        except PayloadMissingError:  # deleted since the row was read
            raise NotFoundError(NO_SUCH_RESULT) from None

    def output(self, row: Submission, stream: Stream, max_bytes: int = OUTPUT_MAX_BYTES) -> bytes:
        """Return the beginning of one stream of a final submission. Raises NotFoundError."""
        try:
            return read_output(self.payloads, row, stream, max_bytes)
        except PayloadMissingError:  # deleted since the row was read
            raise NotFoundError(NO_SUCH_RESULT) from None
