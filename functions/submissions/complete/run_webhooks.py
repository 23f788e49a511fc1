"""The webhooks of a run that has ended: its event, and the deliveries that its project's endpoints want."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.submissions.complete.completed_event import event_of
from functions.submissions.model import MARK_OF_CHECK, Kind
from functions.webhooks.deliveries.publication import Publication, RunTarget, plan_publication
from functions.webhooks.endpoints.model import RunFacts, SubmissionKind

if TYPE_CHECKING:
    from functions.aws.payloads import Payloads
    from functions.clock import Clock
    from functions.event_log.model import Event
    from functions.submissions.complete.judge_runs import JudgeRuns
    from functions.submissions.model import Submission
    from functions.webhooks.endpoints.store import SubscriberCache


@dataclass(frozen=True, slots=True)
class RunWebhooks:
    """Plans webhooks of runs. `public_base_url` has no trailing slash."""

    deliveries_table: str
    subscribers: SubscriberCache
    payloads: Payloads
    judge_runs: JudgeRuns
    public_base_url: str
    clock: Clock

    def plan(self, row: Submission, final: Submission) -> Publication:
        """Return the event and its deliveries; nothing if it has no subscriber. `row`: before its end."""
        subscribers = self.subscribers.get(row.project_id, row.endpoints_version).of_run(_facts(final))
        own, now = None, self.clock()
        if row.webhook_url is not None:
            own = RunTarget(row.webhook_url, row.webhook_secret_box or b"")
        if own is None and not subscribers.want(row.event_type, now):
            return Publication()
        return plan_publication(self.deliveries_table, self.event(final), subscribers, own, now)

    def event(self, final: Submission) -> Event:
        """Return the event of a final submission."""
        return event_of(self.judge_runs, self.payloads, self.public_base_url, final)


def _facts(final: Submission) -> RunFacts:
    """Return the values that filters compare. A judge run has no verdict here, also after a failure of the platform."""
    if final.kind is Kind.JUDGE:
        return RunFacts(SubmissionKind.JUDGE, None, final.language, final.metadata)
    kind = SubmissionKind.CHECK if MARK_OF_CHECK in final.metadata else SubmissionKind.RUN
    return RunFacts(kind, final.verdict, final.language, final.metadata)
