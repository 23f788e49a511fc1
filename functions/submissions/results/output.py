"""Read the output of a final submission: from its row, or from the bucket if it was too large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from functions.aws.payloads import OUTPUT_MAX_BYTES, PayloadMissingError
from functions.submissions.results.stored_object import RawOutput

if TYPE_CHECKING:
    from functions.aws.payloads import Payloads
    from functions.submissions.model import Submission

type Stream = Literal["stdout", "stderr"]


def raw_output(row: Submission, stream: Stream) -> RawOutput:
    """Describe one stream."""
    if stream == "stdout":
        return RawOutput(row.submission_id, row.stdout or b"", row.stdout_key, row.stdout_size_bytes)
    return RawOutput(row.submission_id, row.stderr or b"", row.stderr_key, row.stderr_size_bytes)


def read_output(payloads: Payloads, row: Submission, stream: Stream, max_bytes: int = OUTPUT_MAX_BYTES) -> bytes:
    """Return the beginning of one stream. Raises PayloadMissingError if its object was deleted."""
    output = raw_output(row, stream)
    if output.key is None:
        return output.content
    return payloads.get_output(row.submission_id, output.key, max_bytes)


def output_if_kept(payloads: Payloads, row: Submission, stream: Stream) -> bytes:
    """Return the first 1 MiB of one stream; nothing if its object was deleted."""
    try:
        return read_output(payloads, row, stream)
    except PayloadMissingError:
        return b""
