"""What an entry point that ends submissions does for checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.checks.runs.hints import CheckHints
from functions.submissions.deployment import SubmissionDeployment

if TYPE_CHECKING:
    from functions.submissions.model import Submission


class CheckDeployment(SubmissionDeployment):
    """The end of a submission is told to the check that waits for it."""

    def on_final(self, final: Submission) -> None:
        self[CheckHints].send_ended(final)
