"""The stores of checks and their runs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.submissions.deployment import SubmissionDeployment

if TYPE_CHECKING:
    from functions.checks.runs.hints import CheckHints
    from functions.checks.runs.store import RunStore
    from functions.checks.settings.store import CheckStore
    from functions.checks.settings.trigger_store import TriggerStore


class CheckDeployment(SubmissionDeployment):
    """The stores of checks and their runs."""

    @cached_property
    def checks(self) -> CheckStore:
        """Checks."""
        from functions.checks.settings.store import CheckStore

        return CheckStore(self.settings.checks_table, self.dynamodb, self.clock)

    @cached_property
    def check_runs(self) -> RunStore:
        """Runs of checks."""
        from functions.checks.runs.store import RunStore

        return RunStore(self.settings.checks_table, self.dynamodb, self.clock)

    @cached_property
    def triggers(self) -> TriggerStore:
        """Checks that start after others, or after submissions."""
        from functions.checks.settings.trigger_store import TriggerStore

        return TriggerStore(self.settings.checks_table, self.dynamodb, self.clock)

    @cached_property
    def check_hints(self) -> CheckHints:
        """Hints about runs, and events that start runs."""
        from functions.checks.runs.hints import CheckHints

        return CheckHints(self.sqs, self.settings.checks_queue_url)
