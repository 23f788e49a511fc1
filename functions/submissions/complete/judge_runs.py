"""Judge runs as this slice sees them. `functions.judging` implements the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from functions.event_log.model import Event
    from functions.messages.judged import JudgeCompleted, JudgeProgress
    from functions.messages.judging import JudgeRequested
    from functions.submissions.model import Completion, Submission


class JudgeRuns(Protocol):
    """Judge runs as the parts of this slice see them."""

    def completion(self, message: JudgeCompleted, row: Submission) -> Completion:
        """Convert a runner's result. Raises MessageInvalidError if it does not fit the row."""
        ...

    def object_keys(self, message: JudgeCompleted) -> tuple[str, ...]:
        """Return the keys of all objects of a result."""
        ...

    def add_progress(self, message: JudgeProgress) -> None:
        """Keep finished cases for polls, unless the judge run is final."""
        ...

    def requested_again(self, row: Submission, code: bytes, requested_at: str, files: bytes | None) -> JudgeRequested:
        """Return the message for another execution."""
        ...

    def event(self, final: Submission) -> Event:
        """Return the event of a final judge run."""
        ...
