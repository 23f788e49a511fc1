"""The route POST /api/submit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.http.answers import answer
from functions.http.http_event import json_body
from functions.http.long_poll import SHORTEST_WAIT_SECS
from functions.http.parameters import SUBMIT_MAX_SECS, idempotency_key, wait_secs
from functions.http.paths import result_path
from functions.projects.authentication import authenticate, note_usage
from functions.submissions.accept.acceptance import NewSubmission
from functions.submissions.accept.requests import parse_submission
from functions.submissions.results.parameters import result_shape
from functions.submissions.results.views import accepted_body, timeout_body
from functions.telemetry import metrics
from functions.webhooks.target.address_rules import AddressRules

if TYPE_CHECKING:
    from typing import Any

    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.event_handler import Response

    from functions.http.long_poll import LongPoll
    from functions.http.resolver import Resolver
    from functions.projects.store import ProjectStore
    from functions.submissions.accept.acceptance import Acceptance, Accepted
    from functions.submissions.results.results import Results
    from functions.submissions.runners.fleet import Fleet


@dataclass(frozen=True, slots=True)
class SubmitRoute:
    """The route and the parts that it uses."""

    projects: ProjectStore
    fleet: Fleet
    acceptance: Acceptance
    results: Results
    long_poll: LongPoll
    allow_insecure: bool
    longest_wait_secs: float
    log: Logger

    def answer(self, app: Resolver) -> Response[str]:
        """Answer the resolver's current event. Raises ServiceError."""
        event, begun = app.current_event, self.long_poll.monotonic()
        project = authenticate(event, self.projects)
        query = event.query_string_parameters
        asked_secs, shape = wait_secs(query, SUBMIT_MAX_SECS), result_shape(query)
        secs = min(asked_secs, max(app.secs_left(), SHORTEST_WAIT_SECS))
        key = idempotency_key(event.headers)
        offered = self.fleet.languages()
        run = parse_submission(
            json_body(event),
            offered=offered,
            rules=AddressRules(self.allow_insecure, (event.request_context.domain_name or "",)),
        )
        accepted = self.acceptance.accept(
            NewSubmission(project, run, key, secs, event.correlation_id, event.traceparent)
        )
        if accepted.usage is not None:
            note_usage(event, accepted.usage, project.quota(run.profile))
            report_accepted(self.log, "Submission accepted", accepted, app.request_id)
        row = accepted.submission
        if secs:
            # A direct run may have used up most of the time.
            left_secs = min(secs, self.longest_wait_secs) - (self.long_poll.monotonic() - begun)
            row = self.results.wait(row, left_secs, self.long_poll.within(app.secs_left))
        if row.is_final:
            return self.results.show(row, app.prefix, shape, warnings=run.warnings)
        warnings = {"warnings": list(run.warnings)} if run.warnings else {}
        if secs:
            return answer(timeout_body(row, app.prefix + result_path(row.submission_id)) | warnings, 408)
        return answer(accepted_body(row, accepted.queue_depth) | warnings, 202)


def report_accepted(log: Logger, phrase: str, accepted: Accepted, request_id: str, cases: int | None = None) -> None:
    """Count a new submission and log it. `cases`: of a judge run."""
    row = accepted.submission
    metrics(log.service).add("SubmissionAccepted")
    more: dict[str, Any] = {} if cases is None else {"cases": cases}
    log.info(
        phrase,
        **row.log_ids,
        request_id=request_id,
        project_id=row.project_id,
        language=row.language,
        profile=row.profile,
        priority=row.priority,
        **more,
    )
