"""The stores of checks and their runs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.submissions.deployment import SubmissionDeployment

if TYPE_CHECKING:
    from functions.checks.run_store import RunStore
    from functions.checks.store import CheckStore


class CheckDeployment(SubmissionDeployment):
    """The stores of checks and their runs."""

    @cached_property
    def checks(self) -> CheckStore:
        """Checks."""
        from functions.checks.store import CheckStore

        return CheckStore(self.settings.checks_table, self.dynamodb, self.clock)

    @cached_property
    def check_runs(self) -> RunStore:
        """Runs of checks."""
        from functions.checks.run_store import RunStore

        return RunStore(self.settings.checks_table, self.dynamodb, self.clock)
