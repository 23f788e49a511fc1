"""The stores and use cases of judge runs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.files.use import StoredFiles
from functions.submissions.deployment import SubmissionDeployment

if TYPE_CHECKING:
    from functions.judging.problem_store import ProblemLookup, ProblemPush, ProblemRemoval, ProblemStore
    from functions.judging.runs import JudgedRuns, ProgressStore
    from functions.submissions.results.results import Results


class JudgeDeployment(SubmissionDeployment):
    """The stores and use cases of judge runs."""

    @cached_property
    def problems(self) -> ProblemStore:
        """Problems of projects."""
        from functions.judging.problem_store import ProblemStore

        return ProblemStore(self.settings.submissions_table, self.dynamodb, self.clock)

    @cached_property
    def problem_lookup(self) -> ProblemLookup:
        """Finds problems."""
        from functions.judging.problem_store import ProblemLookup

        return ProblemLookup(self.problems, self.clock)

    @cached_property
    def problem_push(self) -> ProblemPush:
        """Stores problems."""
        from functions.judging.problem_store import ProblemPush

        return ProblemPush(self.problems, self.files, self[StoredFiles], self.clock)

    @cached_property
    def problem_removal(self) -> ProblemRemoval:
        """Deletes problems."""
        from functions.judging.problem_store import ProblemRemoval

        return ProblemRemoval(self.problems, self.files, self.clock)

    @cached_property
    def progress(self) -> ProgressStore:
        """Results of cases while a judge run goes on."""
        from functions.judging.runs import ProgressStore

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
