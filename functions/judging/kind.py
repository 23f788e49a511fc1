"""Judge runs on their way to a runner: values of a new row, where the cases are stored, the message."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from events.files import read_files, write_files
from events.requested import JudgeRequested, Judging
from functions.submissions.model import INLINE_INPUT_MAX_BYTES, Kind
from functions.submissions.run.queues import request_values

if TYPE_CHECKING:
    from events.files import PlacedFile
    from functions.aws.payloads import Payloads
    from functions.judging.requests import JudgeRequest
    from functions.submissions.model import Submission

QUEUED_MAX_BYTES = 190_000
"""The largest message of a queue with its cases inside. SQS takes 256 KiB with its attributes."""
DIRECT_MAX_BYTES = 1_000_000
"""The same over HTTP: a runner reads at most 1 MiB."""


@dataclass(frozen=True, slots=True)
class JudgeKind:
    """Judge runs: one program, executed on many cases."""

    payloads: Payloads

    @property
    def has_row_first(self) -> bool:
        """A judge run may outlast its client, so its row exists before it runs."""
        return True

    def new_values(self, request: JudgeRequest) -> dict[str, Any]:
        """Return the plan, and what lists show from the start."""
        plan, version = request.plan, request.problem
        values: dict[str, Any] = {
            "plan": plan.to_json(),
            "summary": {"kind": Kind.JUDGE.value, "cases": len(plan.cases)},
        }
        if version is not None:
            stored = {"key": version.object_key, "size": version.object_size, "sha256": version.object_sha256}
            return values | {"problem": version.name, "judging_object": stored}
        return values | {"judging": None if request.judging is None else request.judging.serialise().encode()}

    def store_input(self, row: Submission, request: JudgeRequest) -> Submission:
        """Move the cases into the bucket if they are too large for the row, and a program that is too large itself."""
        judging = row.judging or b""
        files = write_files(request.placed_files) if request.placed_files else None
        program_bytes = len(request.code) + len(files or b"")
        if program_bytes + len(judging) <= INLINE_INPUT_MAX_BYTES:
            return replace(row, files=files)
        if judging:
            key = self.payloads.put_judging(row.submission_id, judging.decode())
            row = replace(row, judging=None, judging_key=key)
        if program_bytes <= INLINE_INPUT_MAX_BYTES:
            return replace(row, files=files)
        return replace(row, code=None, input_key=self.payloads.put_input(row.submission_id, request.code, b"", files))

    def requested(self, row: Submission, request: JudgeRequest, *, is_direct: bool) -> JudgeRequested:
        """Return the message for a runner, with its cases inside if they are small."""
        files = request.placed_files
        message = judge_requested(row, request.code, row.created_at, request.judging, None, files)
        most = DIRECT_MAX_BYTES if is_direct else QUEUED_MAX_BYTES
        if row.judging_key is None or len(message.serialise()) <= most:
            return message
        return judge_requested(row, request.code, row.created_at, None, row.judging_key, files)


def requested_again(row: Submission, code: bytes, requested_at: str, files: bytes | None = None) -> JudgeRequested:
    """Return the message for another execution of a row."""
    judging = Judging.parse(row.judging) if row.judging is not None else None
    return judge_requested(row, code, requested_at, judging, row.judging_key, read_files(files))


def judge_requested(
    row: Submission,
    code: bytes,
    requested_at: str,
    judging: Judging | None,
    judging_key: str | None,
    files: tuple[PlacedFile, ...] = (),
) -> JudgeRequested:
    """Return the message for the row's `execution_id`."""
    values = request_values(row, code, requested_at, files) | {
        "judging": judging,
        "judging_key": judging_key,
        "judging_object": row.judging_object,
    }
    return JudgeRequested.of(values)
