"""The stores of checks, and the parts that their routes use."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.files.use import StoredFiles
from functions.submissions.deployment import SubmissionDeployment
from functions.telemetry import warn
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from functions.checks.inbound import Inbound, InboundSecrets
    from functions.checks.pings import PingStore, PingTaking
    from functions.checks.runs.hints import CheckHints
    from functions.checks.runs.start import CallLog, EventStore, Following, RequestedRuns, RequestLimit, Starter
    from functions.checks.runs.steps import ClockRepair, Firing, RunSteps
    from functions.checks.runs.store import RunStore
    from functions.checks.settings.changes import CheckFiles, CheckVariables, ReportTokens, TriggerRules
    from functions.checks.settings.store import CheckStore, OutageStore, QuietStore
    from functions.checks.settings.trigger_rows import TriggerStore
    from functions.checks.status_api import StatusPageStore
    from functions.submissions.model import Submission


_PAGE_FRESH_MS = 15_000
_MOST_PAGES = 200


class CheckDeployment(SubmissionDeployment):
    """The stores of checks, and the parts that their routes use."""

    def on_final(self, final: Submission) -> None:
        """Send a hint to the check that waits for a submission."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.check_hints.send_ended(final)
        except (ClientError, BotoCoreError) as error:
            warn(self.log, "Hint for a check not sent; its schedule will find the end", final.log_ids, error)

    @cached_property
    def check_files(self) -> CheckFiles:
        """Holds the stored files of checks."""
        from functions.checks.settings.changes import CheckFiles

        return CheckFiles(self.checks, self.files, self[StoredFiles])

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
    def check_events(self) -> EventStore:
        """Events that start runs."""
        from functions.checks.runs.start import EventStore

        return EventStore(self.settings.checks_table, self.dynamodb, self.clock)

    @cached_property
    def triggers(self) -> TriggerStore:
        """Checks that start after others, or after submissions."""
        from functions.checks.settings.trigger_rows import TriggerStore

        return TriggerStore(self.settings.checks_table, self.dynamodb, self.clock)

    @cached_property
    def quiet_times(self) -> QuietStore:
        """Quiet times of tags."""
        from functions.checks.settings.store import QuietStore

        return QuietStore(self.settings.checks_table, self.dynamodb, self.clock)

    @cached_property
    def trigger_rules(self) -> TriggerRules:
        """Rules for changes of triggers."""
        from functions.checks.settings.changes import TriggerRules

        return TriggerRules(self.checks, self.triggers, has_bus=bool(self.settings.event_bus_name))

    @cached_property
    def check_hints(self) -> CheckHints:
        """Hints about runs, and events that start runs."""
        from functions.checks.runs.hints import CheckHints

        return CheckHints(self.sqs, self.settings.checks_queue_url)

    @cached_property
    def check_request_limit(self) -> RequestLimit:
        """The limit of requested runs."""
        from functions.checks.runs.start import RequestLimit

        return RequestLimit(self.settings.checks_table, self.dynamodb, self.projects, self.clock)

    @cached_property
    def check_variables(self) -> CheckVariables:
        """Seals and opens the variables of checks."""
        from functions.checks.settings.changes import CheckVariables

        return CheckVariables(self.secret_boxes)

    @cached_property
    def outages(self) -> OutageStore:
        """Outages that are over."""
        from functions.checks.settings.store import OutageStore

        return OutageStore(self.settings.checks_table, self.dynamodb, self.clock)

    @cached_property
    def status_pages(self) -> StatusPageStore:
        """Status pages."""
        from functions.checks.status_api import StatusPageStore

        return StatusPageStore(self.settings.checks_table, self.dynamodb, self.clock)

    @cached_property
    def rendered_pages(self) -> TtlCache[str, str]:
        """Rendered status pages by token: a flood of readers reads the checks once in a while."""
        return TtlCache(_PAGE_FRESH_MS, _MOST_PAGES, self.clock)

    @cached_property
    def pings(self) -> PingStore:
        """Tokens and bodies of pings."""
        from functions.checks.pings import PingStore

        return PingStore(self.settings.checks_table, self.dynamodb, self.clock)

    @cached_property
    def ping_taking(self) -> PingTaking:
        """Takes pings."""
        from functions.checks.pings import PingTaking

        return PingTaking(self.checks, self.quiet_times, self.pings, self.check_hints, self.log, self.clock)

    @cached_property
    def report_tokens(self) -> ReportTokens:
        """Seals the tokens of reports."""
        from functions.checks.settings.changes import ReportTokens

        return ReportTokens(self.secret_boxes)


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
        from functions.checks.runs.start import Starter

        return Starter(self.check_events, self.check_hints, self.check_request_limit, self.log, self.clock)

    @cached_property
    def following(self) -> Following:
        """Starts the checks that follow a run or a submission."""
        from functions.checks.runs.start import Following

        return Following(self.checks, self.triggers, self.starter)

    @cached_property
    def requested_runs(self) -> RequestedRuns:
        """Starts the checks that an event of the bus names."""
        from functions.checks.runs.start import RequestedRuns

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
                self.projects, self.submissions, self.acceptance, self.check_variables, self.payloads
            ),
            completer=RunCompleter(self.checks, self.quiet_times, self.check_runs, self.payloads, base_url, self.clock),
            outbox=self.outbox,
            reports=Reports(self.outbox, base_url),
            hints=self.check_hints,
            start_followers=self.following.after_run,
            clock=self.clock,
        )

    @cached_property
    def direct_run(self) -> None:
        """Nobody waits for the program of a check."""
        return


class InboundDeployment(CheckDeployment):
    """The parts that take signed calls."""

    @cached_property
    def call_log(self) -> CallLog:
        """The last calls of checks."""
        from functions.checks.runs.start import CallLog

        return CallLog(self.settings.checks_table, self.dynamodb, self.log, self.clock)

    @cached_property
    def inbound_secrets(self) -> InboundSecrets:
        """Makes and opens the secrets of signed calls."""
        from functions.checks.inbound import InboundSecrets

        return InboundSecrets(self.check_events, self.secret_boxes)

    @cached_property
    def inbound_calls(self) -> Inbound:
        """Takes signed calls."""
        from functions.checks.inbound import Inbound

        return Inbound(
            checks=self.checks,
            runs=self.check_runs,
            events=self.check_events,
            calls=self.call_log,
            limit=self.check_request_limit,
            secrets=self.inbound_secrets,
            put_body=self.payloads.put_event,
            clock=self.clock,
        )
