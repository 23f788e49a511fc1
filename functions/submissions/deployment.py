"""The stores and use cases of submissions, over the queues and the runners."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from events.limits import raised_ceilings
from functions.files.use import StoredFiles
from functions.settings import SettingsInvalidError
from functions.webhooks.deployment import WebhookDeployment

if TYPE_CHECKING:
    from events.limits import RaisedCeilings
    from functions.http.long_poll import LongPoll
    from functions.submissions.accept.acceptance import Acceptance, QuotaAdmission
    from functions.submissions.completed_event import JudgeRuns
    from functions.submissions.completion import Completer, Recorder
    from functions.submissions.direct import DirectRun, DirectRunners
    from functions.submissions.live_runs import Cancellation, LiveOutput
    from functions.submissions.model import Submission
    from functions.submissions.queues import Queues
    from functions.submissions.results.list_store import SubmissionList
    from functions.submissions.results.results import Deletion, Results
    from functions.submissions.runners.fleet import Fleet
    from functions.submissions.runners.store import ControlObjects, RunnerStore
    from functions.submissions.store import SubmissionStore


class RunnerDeployment(WebhookDeployment):
    """The queues and the runners of submissions."""

    @cached_property
    def runners(self) -> RunnerStore:
        """Heartbeats of runners."""
        from functions.submissions.runners.store import RunnerStore

        return RunnerStore(self.settings.runners_table, self.dynamodb, self.clock)

    @cached_property
    def fleet(self) -> Fleet:
        """The runners of the whole service."""
        from functions.submissions.runners.fleet import Fleet

        return Fleet(self.runners, self.settings.offered_languages)

    @cached_property
    def raised_ceilings(self) -> RaisedCeilings:
        """The ceilings of limits that the operator has raised. Raises SettingsInvalidError."""
        try:
            return raised_ceilings(self.settings.limit_ceilings)
        except ValueError as error:
            raise SettingsInvalidError(f"LIMIT_CEILINGS: {error}") from None

    @cached_property
    def queues(self) -> Queues:
        """The queues of submissions."""
        from functions.submissions.queues import Queues

        return Queues(
            self.sqs,
            self.settings.interactive_queue_url,
            self.settings.batch_queue_url,
            self.settings.network_queue_url,
            self.clock,
        )

    @cached_property
    def direct_runners(self) -> DirectRunners:
        """The runners that are called over HTTP."""
        from functions.submissions.direct import direct_runners_of

        return direct_runners_of(self.settings)

    @cached_property
    def control(self) -> ControlObjects:
        """Tells runners without a direct path what to stop."""
        from functions.aws.clients import Clients
        from functions.submissions.runners.store import ControlObjects

        return ControlObjects(self.settings.payloads_bucket, Clients.s3, self.clock)


class SubmissionDeployment(RunnerDeployment):
    """The stores and use cases of submissions."""

    @property
    def judge_runs(self) -> JudgeRuns:
        """Judge runs. A deployment that ends submissions is also one of `functions.judging`."""
        raise NotImplementedError

    def on_final(self, final: Submission) -> None:
        """Do what a higher part wants to do with each submission that became final. It does not raise."""

    @cached_property
    def submissions(self) -> SubmissionStore:
        """Submissions."""
        from functions.submissions.store import SubmissionStore

        return SubmissionStore(self.settings.submissions_table, self.dynamodb, self.clock)

    @cached_property
    def submission_list(self) -> SubmissionList:
        """Lists of submissions."""
        from functions.submissions.results.list_store import SubmissionList

        return SubmissionList(self.settings.submissions_table, self.dynamodb, self.clock)

    @cached_property
    def deletion(self) -> Deletion:
        """Deletes a submission with all that belongs to it."""
        from functions.submissions.results.results import Deletion

        return Deletion(self.submissions, self.deliveries, self.quotas, self.payloads, self.artifacts)

    @cached_property
    def results(self) -> Results:
        """Runs of projects."""
        from functions.submissions.results.results import Results

        return Results(self.submissions, self.payloads, self.clock)

    @cached_property
    def live_output(self) -> LiveOutput:
        """Outputs of runs, also while they go on."""
        from functions.submissions.live_runs import LiveOutput

        return LiveOutput(self.results, self.direct_runners, self.control, self.log)

    @cached_property
    def long_poll(self) -> LongPoll:
        """The clock of waits."""
        from functions.http.long_poll import LongPoll

        return LongPoll()

    @cached_property
    def direct_run(self) -> DirectRun | None:
        """Runs submissions over HTTP; None where no runner is called directly."""
        from functions.submissions.direct import direct_run_of

        url = self.settings.completions_queue_url
        return direct_run_of(self.direct_runners, url, self.completer, self.queues, self.log)

    @cached_property
    def cancellation(self) -> Cancellation:
        """Cancels submissions."""
        from functions.submissions.live_runs import Cancellation

        return Cancellation(
            self.submissions,
            self.completer,
            self.payloads,
            self.quotas,
            self.direct_runners,
            self.control,
            self.runners,
            self.clock,
            self.log,
        )

    @cached_property
    def admission(self) -> QuotaAdmission:
        """Charges quotas."""
        from functions.submissions.accept.acceptance import QuotaAdmission

        return QuotaAdmission(self.quotas, self.submissions, self.clock, self.log)

    @cached_property
    def acceptance(self) -> Acceptance:
        """Accepts runs and judge runs."""
        from functions.submissions.accept.acceptance import Acceptance, SubmissionStarter

        starter = SubmissionStarter(
            self.submissions,
            self.admission,
            self.secret_boxes,
            self.payloads,
            self.queues,
            self.settings.pending_redrive_secs,
            self.clock,
            self.log,
            self.direct_run,
        )
        return Acceptance(
            self.settings, self.submissions, self.admission, self.queues, self[StoredFiles], starter, self.clock
        )

    @cached_property
    def completer(self) -> Completer:
        """Writes the end of submissions."""
        from functions.submissions.completed_event import RunWebhooks, report_end
        from functions.submissions.completion import Completer

        table, base_url = self.settings.deliveries_table, self.settings.public_base_url
        webhooks = RunWebhooks(table, self.subscribers, self.payloads, self.judge_runs, base_url, self.clock)
        return Completer(
            client=self.dynamodb,
            submissions=self.submissions,
            payloads=self.payloads,
            quotas=self.quotas,
            deliveries=self.deliveries,
            webhooks=webhooks,
            hints=self.delivery_hints,
            judge_runs=self.judge_runs,
            log=self.log,
            report_end=lambda final: report_end(final, self.log.service, self.clock()),
            know_artifacts=lambda final: self.artifacts.add(
                final.project_id, final.submission_id, final.stored_artifacts, final.ttl
            ),
            clock=self.clock,
            on_final=self.on_final,
        )

    @cached_property
    def recorder(self) -> Recorder:
        """Applies the messages of runners."""
        from functions.submissions.completion import Recorder

        return Recorder(self.completer, self.submissions, self.payloads, self.runners, self.judge_runs, self.control)
