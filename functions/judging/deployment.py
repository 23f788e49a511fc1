"""The stores of judge runs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.submissions.deployment import SubmissionDeployment

if TYPE_CHECKING:
    from functions.judging.progress_store import ProgressStore
    from functions.judging.runs import JudgedRuns


class JudgeDeployment(SubmissionDeployment):
    """The stores of judge runs."""

    @cached_property
    def progress(self) -> ProgressStore:
        """Results of cases while a judge run goes on."""
        from functions.judging.progress_store import ProgressStore

        return ProgressStore(self.settings.submissions_table, self.dynamodb, self.clock)

    @cached_property
    def judged_runs(self) -> JudgedRuns:
        """Ends, repeats and announces judge runs."""
        from functions.judging.runs import JudgedRuns

        return JudgedRuns(self.payloads, self.progress, self.settings.public_base_url)
