"""The end of every fan-out: the last steps, then the mark that nothing is owed any more."""

from collections.abc import Callable
from dataclasses import dataclass

from functions.core.failpoint import reach
from functions.core.submission import Submission
from functions.store.submissions import SubmissionStore

type Step = Callable[[Submission], None]
"""Must be idempotent: a crash behind it repeats it."""


@dataclass(frozen=True, slots=True)
class Closing:
    """Parts that it needs. `steps` are taken in order for each final submission, whichever way it ended."""

    submissions: SubmissionStore
    steps: tuple[Step, ...] = ()

    def close(self, submission: Submission) -> None:
        """Take the steps, then mark the fan-out done; on a raise it stays due."""
        for step in self.steps:
            step(submission)
        reach("fanout.before_done")
        self.submissions.finish_fanout(submission.submission_id)
