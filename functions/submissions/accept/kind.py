"""The kinds of submissions as their acceptance sees them: runs here, judge runs in `functions.judging.kind`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from functions.messages.files import write_files
from functions.submissions.model import INLINE_INPUT_MAX_BYTES
from functions.submissions.run.execution_request import execution_requested

if TYPE_CHECKING:
    from functions.aws.payloads import Payloads
    from functions.messages.wire import Requested
    from functions.submissions.accept.requests import RunRequest
    from functions.submissions.model import Submission


class SubmissionKind(Protocol):
    """How submissions of one `Kind` are accepted."""

    @property
    def has_row_first(self) -> bool:
        """Whether the pending row is written before a runner is asked."""
        ...

    def new_values(self, request: Any) -> dict[str, Any]:
        """Return the fields of a new row that only this kind has."""
        ...

    def store_input(self, row: Submission, request: Any) -> Submission:
        """Move inputs that are too large for the row into the bucket."""
        ...

    def requested(self, row: Submission, request: Any, *, is_direct: bool) -> Requested:
        """Return the message for a runner: over HTTP, or over a queue."""
        ...


@dataclass(frozen=True, slots=True)
class RunKind:
    """Runs: one program, executed once."""

    payloads: Payloads

    @property
    def has_row_first(self) -> bool:
        """A short run writes its row once, in its final state."""
        return False

    def new_values(self, request: RunRequest) -> dict[str, Any]:  # noqa: ARG002 - the protocol's signature
        """Return nothing: a run has no more fields."""
        return {}

    def store_input(self, row: Submission, request: RunRequest) -> Submission:
        """Move code, stdin and files into the bucket if they are too large for the row."""
        files = write_files(request.placed_files) if request.placed_files else None
        if len(request.code) + len(request.stdin) + len(files or b"") <= INLINE_INPUT_MAX_BYTES:
            return replace(row, files=files)
        key = self.payloads.put_input(row.submission_id, request.code, request.stdin, files)
        return replace(row, code=None, stdin=None, input_key=key)

    def requested(self, row: Submission, request: RunRequest, *, is_direct: bool) -> Requested:  # noqa: ARG002 - same
        """Return the message, the same over HTTP and over a queue."""
        environment, files = request.environment, request.placed_files
        return execution_requested(row, request.code, request.stdin, row.created_at, environment, files)
