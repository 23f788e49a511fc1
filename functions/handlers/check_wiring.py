"""Wire the parts that run checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.aws.clients import Clients
from functions.aws.payloads import Payloads
from functions.checks.events.event_store import EventStore
from functions.checks.events.follow import Following
from functions.checks.events.request_limit import RequestLimit
from functions.checks.events.requested import CheckRequested, RequestedRuns
from functions.checks.events.start import Starter
from functions.checks.keys import ids_of_check
from functions.checks.runs.clock_repair import ClockMark, ClockRepair
from functions.checks.runs.complete import RunCompleter
from functions.checks.runs.fire import Firing
from functions.checks.runs.hints import CheckHint, CheckHints, SubmissionEnded, read_message
from functions.checks.runs.steps import RunSteps
from functions.checks.runs.store import Due, RunStore
from functions.checks.settings.store import CheckStore
from functions.checks.settings.trigger_store import TriggerStore
from functions.checks.settings.variables import CheckVariables
from functions.clock import Clock, now_ms
from functions.handlers.webhook_wiring import outbox
from functions.projects.quota_store import QuotaStore
from functions.projects.registry import ProjectRegistry
from functions.submissions.accept.acceptance import Acceptance
from functions.submissions.accept.kind import RunKind
from functions.submissions.accept.quota_admission import QuotaAdmission
from functions.submissions.accept.start import SubmissionStarter
from functions.submissions.run.queues import Queues
from functions.submissions.store import SubmissionStore
from functions.telemetry import logger
from functions.webhooks.target.secret_box import SecretBoxes

if TYPE_CHECKING:
    from functions.checks.runs.model import Run
    from functions.settings import ScheduleSettings


@dataclass(frozen=True, slots=True)
class Checks:
    """The use cases of checks that no client calls."""

    runs: RunStore
    requested: RequestedRuns
    following: Following
    firing: Firing
    steps: RunSteps
    repair_clock: ClockRepair

    def take(self, message: str) -> None:
        """Handle a message of the queue: the next step of a run, or start checks. Raises MessageInvalidError."""
        body = read_message(message)
        if "detail-type" in body:
            self.requested.start(CheckRequested.of(body))
            return
        if "check_ids" in body:
            self.following.after_submission(SubmissionEnded.of(body))
            return
        hint = CheckHint.of(body)
        run = self.runs.get_run(hint.pk, hint.sk)
        if run is not None:
            self.steps.step(run, has_ended=hint.has_ended)

    def serve(self, row: Due) -> None:
        """Take the slots of a due check and start their runs, or do the next step of a due run."""
        taken: list[Run | None] = []
        if row.is_check:
            taken += self.firing.fire(*ids_of_check(row.pk, row.sk))
        else:
            taken.append(self.runs.get_run(row.pk, row.sk))
        for run in filter(None, taken):
            self.steps.step(run)


def wire(settings: ScheduleSettings, service: str, clock: Clock = now_ms) -> Checks:
    """Return the wired parts."""
    log, dynamodb = logger(service), Clients.dynamodb()
    store = CheckStore(settings.checks_table, dynamodb, clock)
    runs = RunStore(settings.checks_table, dynamodb, clock)
    submissions = SubmissionStore(settings.submissions_table, dynamodb, clock)
    payloads = Payloads(settings.payloads_bucket, Clients.s3)
    admission = QuotaAdmission(QuotaStore(settings.quotas_table, dynamodb, clock), submissions, clock, log)
    boxes = SecretBoxes(settings.endpoint_secrets_key_id, Clients.kms)
    queues = Queues(Clients.sqs(), settings.interactive_queue_url, settings.batch_queue_url)
    run_kind, redrive_secs = RunKind(payloads), settings.pending_redrive_secs
    submission_starter = SubmissionStarter(submissions, admission, run_kind, boxes, queues, redrive_secs, clock, log)
    acceptance = Acceptance(settings, submissions, admission, run_kind, queues, submission_starter, clock)
    hints = CheckHints(Clients.sqs(), settings.checks_queue_url)
    projects = ProjectRegistry(settings.projects_table, dynamodb)
    limit = RequestLimit(settings.checks_table, dynamodb, projects, clock)
    starter = Starter(EventStore(settings.checks_table, dynamodb, clock), hints, limit, log, clock)
    following = Following(store, TriggerStore(settings.checks_table, dynamodb), starter)
    steps = RunSteps(
        store=store,
        runs=runs,
        projects=projects,
        submissions=submissions,
        acceptance=acceptance,
        completer=RunCompleter(store, runs, payloads, settings.public_base_url, clock),
        outbox=outbox(settings),
        hints=hints,
        variables=CheckVariables(boxes),
        start_followers=following.after_run,
        clock=clock,
    )
    firing = Firing(store, runs, clock)
    repair = ClockRepair(ClockMark(settings.checks_table, dynamodb, clock), runs, firing, clock)
    return Checks(runs, RequestedRuns(store, starter), following, firing, steps, repair)
