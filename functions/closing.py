"""The end of every fan-out: the mark that nothing is owed any more."""

from dataclasses import dataclass

from functions.core.failpoint import reach
from functions.core.submission import Submission
from functions.store.submissions import SubmissionStore


@dataclass(frozen=True, slots=True)
class Closing:
    """The part that it needs."""

    submissions: SubmissionStore

    def close(self, submission: Submission) -> None:
        """Mark the fan-out done; on a raise it stays due."""
        reach("fanout.before_done")
        self.submissions.finish_fanout(submission.submission_id)
