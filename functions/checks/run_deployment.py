"""The parts that start runs of checks, and end them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.checks.deployment import CheckDeployment

if TYPE_CHECKING:
    from functions.checks.events.start import Following, RequestedRuns, Starter
    from functions.checks.runs.steps import ClockRepair, Firing, RunSteps
    from functions.submissions.accept.acceptance import Acceptance


class CheckRunDeployment(CheckDeployment):
    """The parts that start runs of checks, and end them."""

    @cached_property
    def firing(self) -> Firing:
        """Gives due checks their runs."""
        from functions.checks.runs.steps import Firing

        return Firing(self.checks, self.check_runs, self.clock)

    @cached_property
    def clock_repair(self) -> ClockRepair:
        """Brings checks and runs back after a clock that ran ahead."""
        from functions.checks.runs.steps import ClockMark, ClockRepair

        mark = ClockMark(self.settings.checks_table, self.dynamodb, self.clock)
        return ClockRepair(mark, self.check_runs, self.firing, self.clock)

    @cached_property
    def starter(self) -> Starter:
        """Starts runs on events."""
        from functions.checks.events.start import Starter

        return Starter(self.check_events, self.check_hints, self.check_request_limit, self.log, self.clock)

    @cached_property
    def following(self) -> Following:
        """Starts the checks that follow a run or a submission."""
        from functions.checks.events.start import Following

        return Following(self.checks, self.triggers, self.starter)

    @cached_property
    def requested_runs(self) -> RequestedRuns:
        """Starts the checks that an event of the bus names."""
        from functions.checks.events.start import RequestedRuns

        return RequestedRuns(self.checks, self.starter)

    @cached_property
    def run_steps(self) -> RunSteps:
        """Does the steps of runs."""
        from functions.checks.runs.complete import Reports, RunCompleter
        from functions.checks.runs.steps import RunSteps, RunSubmitter

        base_url = self.settings.public_base_url
        return RunSteps(
            store=self.checks,
            runs=self.check_runs,
            submissions=self.submissions,
            submitter=RunSubmitter(
                self.registry, self.submissions, self.run_acceptance, self.check_variables, self.payloads
            ),
            completer=RunCompleter(self.checks, self.quiet_times, self.check_runs, self.payloads, base_url, self.clock),
            outbox=self.outbox,
            reports=Reports(self.outbox, base_url),
            hints=self.check_hints,
            start_followers=self.following.after_run,
            clock=self.clock,
        )

    @cached_property
    def run_acceptance(self) -> Acceptance:
        """Accepts the programs of runs as submissions."""
        from functions.submissions.accept.start import RunKind

        return self.acceptance_of(RunKind(self.payloads), None)
