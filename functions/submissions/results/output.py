"""Read the output of a final submission: from its row, or from the bucket if it was too large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from functions.aws.payloads import PayloadMissingError

if TYPE_CHECKING:
    from functions.aws.payloads import Payloads
    from functions.submissions.model import Submission

type Stream = Literal["stdout", "stderr"]


def read_output(payloads: Payloads, row: Submission, stream: Stream) -> bytes:
    """Return one stream. Raises PayloadMissingError if its object was deleted."""
    key: str | None = getattr(row, f"{stream}_key")
    if key is not None:
        return payloads.get_output(row.submission_id, key)
    return getattr(row, stream) or b""


def output_if_kept(payloads: Payloads, row: Submission, stream: Stream) -> bytes:
    """Return one stream; nothing if its object was deleted."""
    try:
        return read_output(payloads, row, stream)
    except PayloadMissingError:
        return b""
