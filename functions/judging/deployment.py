"""The stores and use cases of judge runs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.submissions.deployment import SubmissionDeployment

if TYPE_CHECKING:
    from functions.judging.progress_store import ProgressStore
    from functions.judging.runs import JudgedRuns
    from functions.submissions.accept.acceptance import Acceptance
    from functions.submissions.results.results import Results


class JudgeDeployment(SubmissionDeployment):
    """The stores and use cases of judge runs."""

    @cached_property
    def progress(self) -> ProgressStore:
        """Results of cases while a judge run goes on."""
        from functions.judging.progress_store import ProgressStore

        return ProgressStore(self.settings.submissions_table, self.dynamodb, self.clock)

    @cached_property
    def judge_runs(self) -> JudgedRuns:
        """Ends, repeats and announces judge runs."""
        from functions.judging.runs import JudgedRuns

        return JudgedRuns(self.payloads, self.progress, self.settings.public_base_url)

    @cached_property
    def judge_results(self) -> Results:
        """Judge runs of projects."""
        from functions.submissions.model import Kind
        from functions.submissions.results.results import Results

        return Results(self.submissions, self.payloads, self.clock, Kind.JUDGE)

    @cached_property
    def judge_acceptance(self) -> Acceptance:
        """Accepts judge runs."""
        from functions.judging.kind import JudgeKind

        return self.acceptance_of(JudgeKind(self.payloads), self.direct_run)
