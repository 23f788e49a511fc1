"""The route POST /api/submit."""

from dataclasses import dataclass, replace
from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions import otlp
from functions.clock import from_rfc3339
from functions.env import Env
from functions.errors import UnavailableError
from functions.http.answers import answer
from functions.http.http_event import HttpEvent, json_body
from functions.http.long_poll import SHORTEST_WAIT_SECS, long_poll
from functions.http.openapi.bodies import Error, GatewayError, InvalidError, RefusedError
from functions.http.openapi.operation import TRACEPARENT_HEADER
from functions.http.parameters import SUBMIT_MAX_SECS, idempotency_key, result_path, wait_secs
from functions.http.resolver import Resolver, Route
from functions.http.validation import Problems
from functions.projects.authentication import authenticate, note_usage, require_right
from functions.projects.model import Project
from functions.submissions.accept.acceptance import Acceptance, AcceptedSubmission, NewSubmission
from functions.submissions.accept.requests import ProgramRules, SubmitRequest, check_submission, read_body
from functions.submissions.completed_event import keep_accepted
from functions.submissions.model import Kind, Submission
from functions.submissions.results.results import (
    ACCEPTING,
    IDEMPOTENCY_KEY,
    SHAPE,
    Results,
    others_before,
    result_shape,
    wait_parameter,
)
from functions.submissions.results.short_views import CompactFinal
from functions.submissions.results.views import Accepted, FinalResult, WaitOver, accepted_body, timeout_body
from functions.submissions.runners.fleet import Fleet, ceilings_of_operator
from functions.telemetry import Metric, metrics
from functions.webhooks.webhook_url import AddressRules

_NO_NETWORK = "No runner takes runs with network at the moment. Ask the administrator, or leave network out."
_NO_NETWORK_SECS = 60
"""Until the heartbeat of a runner that was just started."""


@dataclass(frozen=True, slots=True)
class SubmitRoutes:
    """The route."""

    env: Env

    def submit(self, app: Resolver) -> Response[str]:
        """Accept a submission; answer with its result if the client waits. Raises ServiceError."""
        env, event = self.env, app.current_event
        begun = env[long_poll].monotonic()
        project = authenticate(event, env)
        query = event.query_string_parameters
        asked_secs, shape = wait_secs(query, SUBMIT_MAX_SECS), result_shape(query)
        secs = min(asked_secs, max(app.secs_left(), SHORTEST_WAIT_SECS))
        key = idempotency_key(event.headers)
        request = check_submission(read_body(json_body(event)), program_rules(env, event, project), Problems())
        new = NewSubmission(project, request, key, secs, event.correlation_id, event.traceparent, event.source)
        accepted = accept_and_wait(env, app, new, begun)
        row = accepted.submission
        if row.is_final:
            return env[Results].show(row, app.prefix, shape, warnings=request.warnings)
        if secs:
            path, behind = app.prefix + result_path(row.submission_id), others_before(env, row)
            return answer(timeout_body(row, path, request.warnings, behind), 408)
        return answer(accepted_body(row, accepted.queue_depth, request.warnings), 202)


def program_rules(env: Env, event: HttpEvent, project: Project) -> ProgramRules:
    """Return what the check of a program of the project needs."""
    insecure = env.settings.allow_insecure_webhook_targets
    addresses = AddressRules(insecure, (event.request_context.domain_name or "",))
    return ProgramRules(env[Fleet].languages(), addresses, env[ceilings_of_operator], project)


def accept_and_wait(
    env: Env, app: Resolver, new: NewSubmission, begun: float, results: type[Results] = Results
) -> AcceptedSubmission:
    """Accept a submission, and wait for its end if its client waits. The answer has the submission as it is then.

    `begun`: when the request came, on the clock of `long_poll`. Raises ServiceError.
    """
    if new.request.program.secrets:
        require_right(app.current_event, "secrets")
    if new.request.program.needs_network and not env[Fleet].takes_network:
        raise UnavailableError(_NO_NETWORK, _NO_NETWORK_SECS)
    accepted = env[Acceptance].accept(new)
    row = accepted.submission
    if accepted.usage is not None:
        note_usage(app.current_event, env, accepted.usage, new.project.quota(row.profile))
        _report(env, app, row)
    if not new.wait_secs:
        return accepted
    # A direct run may have used up most of the time.
    longest_secs = min(new.wait_secs, env.settings.longest_wait_secs)
    left_secs = longest_secs - (env[long_poll].monotonic() - begun)
    return replace(accepted, submission=env[results].wait(row, left_secs, env[long_poll].within(app.secs_left)))


def _report(env: Env, app: Resolver, row: Submission) -> None:
    """Count a new submission, log it, and keep its span."""
    if otlp.is_on():
        keep_accepted(row, env.service, app.current_event.request_context.time_epoch, from_rfc3339(row.created_at))
    cases: dict[str, Any] = {"cases": (row.summary or {})["cases"]} if row.kind is Kind.JUDGE else {}
    env.log.info(
        "Judge run accepted" if row.kind is Kind.JUDGE else "Submission accepted",
        **metrics(env.service).fields(Metric("SubmissionAccepted")),
        **row.log_ids,
        request_id=app.request_id,
        project_id=row.project_id,
        language=row.language,
        profile=row.profile,
        priority=row.priority,
        **cases,
    )


_EXAMPLES: dict[str, Any] = {
    "minimal": {"value": {"language": "python", "code": "print(42)"}},
    "full": {
        "value": {
            "language": "c",
            "code": "int main(void) { return 0; }",
            "stdin": "7",
            "profile": "judge",
            "limits": {"cpu_time_secs": 1.5, "wall_time_secs": 3, "memory_mb": 64, "max_processes": 4, "output_kb": 64},
            "metadata": {"build": "1042"},
        }
    },
}

SUBMIT_ROUTES: tuple[Route[SubmitRoutes], ...] = (
    Route(
        "POST /api/submit",
        SubmitRoutes.submit,
        "submit",
        "Run a program once",
        {
            200: (
                "`wait=true`, or a repeat with the same Idempotency-Key: the run is finished.",
                (FinalResult, CompactFinal),
            ),
            202: ("Queued.", (Accepted,)),
            400: (
                "`bad_request`: broken JSON, a bad `wait`, an unsupported language, code or stdin too large.",
                (RefusedError,),
            ),
            404: ("`not_found`: the submission was deleted while the request waited for it.", (Error,)),
            408: ("The wait is over, and the run is not finished. It continues.", (WaitOver,)),
            413: ("`too_large`: the body is over 1 MiB. The gateway answers this over 6 MB.", (Error, GatewayError)),
            422: ("`invalid`: fields are missing, mistyped or over their ceilings.", (InvalidError,)),
            **ACCEPTING,
        },
        (wait_parameter(SUBMIT_MAX_SECS), *SHAPE, IDEMPOTENCY_KEY, TRACEPARENT_HEADER),
        SubmitRequest,
        _EXAMPLES,
        waits="if_asked",
        rights=("run",),
    ),
)
