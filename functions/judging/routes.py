"""Routes of judge runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from functions.aws.payloads import PayloadMissingError
from functions.errors import ConflictError, NotFoundError
from functions.http import parameters
from functions.http.answers import JSON_TYPE, answer
from functions.http.http_event import json_body
from functions.http.long_poll import SHORTEST_WAIT_SECS
from functions.http.paths import judge_path
from functions.judging.case_view import shows_output
from functions.judging.model import Plan
from functions.judging.requests import parse_judge_request
from functions.judging.views import open_body, text_within
from functions.projects.authentication import authenticate, note_usage
from functions.submissions.accept.acceptance import NewSubmission
from functions.submissions.results.results import NO_SUCH_RESULT
from functions.submissions.routes.submit_routes import report_accepted
from functions.webhooks.target.address_rules import AddressRules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_lambda_powertools import Logger

    from functions.http.json_body import Body
    from functions.http.long_poll import LongPoll
    from functions.http.resolver import Resolver
    from functions.judging.progress_store import ProgressStore
    from functions.judging.runs import JudgedRuns
    from functions.messages.judged import CaseResult
    from functions.projects.store import ProjectStore
    from functions.submissions.accept.acceptance import Acceptance
    from functions.submissions.model import Submission
    from functions.submissions.results.delete import Deletion
    from functions.submissions.results.results import Results
    from functions.submissions.runners.fleet import Fleet

BODY_MAX_BYTES = 5 * 1024 * 1024
"""Of POST /api/judge. A Lambda call has at most 6 MB, with the body as a JSON string in it."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A row and its finished cases, as one poll read them."""

    row: Submission
    cases: Sequence[CaseResult]

    def has_news(self, after: int | None) -> bool:
        """Tell whether a poll ends: it is final, or a case from index `after` on is finished."""
        is_further = after is not None and any(case.index >= after for case in self.cases)
        return self.row.is_final or is_further


@dataclass(frozen=True, slots=True)
class JudgeRoutes:
    """The routes and the parts that they use. All routes raise ServiceError. `rows`: reads judge runs."""

    projects: ProjectStore
    fleet: Fleet
    acceptance: Acceptance
    rows: Results
    judged: JudgedRuns
    progress: ProgressStore
    deletion: Deletion
    long_poll: LongPoll
    allow_insecure: bool
    longest_wait_secs: float
    log: Logger

    def judge(self, app: Resolver) -> Response[str]:
        """Judge a program, and answer with the result if the client waits."""
        event, begun = app.current_event, self.long_poll.monotonic()
        project = authenticate(event, self.projects)
        asked_secs = parameters.wait_secs(event.query_string_parameters, parameters.SUBMIT_MAX_SECS, "true")
        secs = min(asked_secs, max(app.secs_left(), SHORTEST_WAIT_SECS))
        key = parameters.idempotency_key(event.headers)
        request = parse_judge_request(
            json_body(event, BODY_MAX_BYTES),
            offered=self.fleet.languages(),
            rules=AddressRules(self.allow_insecure, (event.request_context.domain_name or "",)),
        )
        accepted = self.acceptance.accept(
            NewSubmission(project, request, key, secs, event.correlation_id, event.traceparent, joins_in_flight=True)
        )
        if accepted.usage is not None:
            note_usage(event, accepted.usage, project.quota(request.profile))
            cases = len(request.plan.cases)
            report_accepted(self.log, "Judge run accepted", accepted, app.request_id, cases)
        row = accepted.submission
        warnings = {"warnings": list(request.warnings)} if request.warnings else {}
        if secs:
            # A direct run may have used up most of the time.
            left_secs = min(secs, self.longest_wait_secs) - (self.long_poll.monotonic() - begun)
            row = self.rows.wait(row, left_secs, self.long_poll.within(app.secs_left))
        if row.is_final:
            return self._final(row, more=warnings)
        path = app.prefix + judge_path(row.submission_id)
        if secs:
            message = f"The judge run is not finished yet and continues. Poll GET {path}"
            body = open_body(row, self.progress.cases(row))
            return answer({**body, "error": "timeout", "message": message} | warnings, 408)
        status = row.status.value
        return answer({"id": row.submission_id, "status": status, "queue_depth": accepted.queue_depth} | warnings, 202)

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        """Answer with one judge run; with `wait`, hold the request until there is news."""
        query = app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, self.projects).project_id
        secs = min(parameters.wait_secs(query, parameters.LONG_POLL_MAX_SECS), self.longest_wait_secs)
        after = parameters.case_index(query["after"]) if "after" in query else None
        row = self.rows.get(parameters.uuid(id_text), project_id)

        def read() -> _Seen | None:
            found = self.rows.find(row.submission_id, project_id)
            return None if found is None else self._seen(found, after)

        long_poll = self.long_poll.within(app.secs_left)
        seen = long_poll.wait(self._seen(row, after), read, lambda seen: seen.has_news(after), secs)
        if seen is None:
            raise NotFoundError(NO_SUCH_RESULT)
        if seen.row.is_final:
            return self._final(seen.row, after=after or 0)
        return answer(open_body(seen.row, self.progress.cases(seen.row), after=after or 0))

    def stdout(self, app: Resolver, id_text: str, index_text: str) -> Response[bytes]:
        """Answer with the exact output of one case."""
        row, index = self._own(app, id_text), parameters.case_index(index_text)
        plan = Plan.of_json(row.plan or {})
        if index >= len(plan.cases) or not shows_output(plan.cases[index]):
            raise NotFoundError("There is no such case, or its visibility does not show its output.")
        if not row.is_final:
            raise ConflictError("The judge run is not finished, so its outputs are not complete yet.")
        run = next((case.run for case in self.judged.results(row) if case.index == index), None)
        if run is None:
            raise NotFoundError("The program did not run on this case.")
        try:
            content = self.judged.output(row, run.stdout)
        except PayloadMissingError:  # deleted since the row was read
            raise NotFoundError(NO_SUCH_RESULT) from None
        return Response(
            status_code=200,
            content_type="application/octet-stream",
            headers={"x-content-type-options": "nosniff"},  # the content comes from an untrusted program
            body=content,
        )

    def delete(self, app: Resolver, id_text: str) -> Response[str]:
        """Delete one judge run with all its data."""
        row = self._own(app, id_text)
        self.deletion.delete(row)
        self.progress.delete(row.submission_id)
        return answer({"id": row.submission_id, "deleted": True})

    def _seen(self, row: Submission, after: int | None) -> _Seen:
        """Read the progress only where a poll waits for it."""
        has_progress = after is not None and not row.is_final
        return _Seen(row, self.progress.cases(row) if has_progress else ())

    def _final(self, row: Submission, *, after: int = 0, more: Body | None = None) -> Response[str]:
        text = text_within(row, self.judged.results(row), after=after, more=more)
        return Response(status_code=200, content_type=JSON_TYPE, body=text)

    def _own(self, app: Resolver, id_text: str) -> Submission:
        project_id = authenticate(app.current_event, self.projects).project_id
        return self.rows.get(parameters.uuid(id_text), project_id)
