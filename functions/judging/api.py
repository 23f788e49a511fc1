"""The routes of /api/judge."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from aws_lambda_powertools.event_handler import Response

from events.files import MAX_CASES
from events.judged import CaseResult
from functions.aws.payloads import PayloadMissingError
from functions.env import Env
from functions.errors import ConflictError, NotFoundError
from functions.http.answers import JSON_TYPE, answer
from functions.http.http_event import json_body
from functions.http.long_poll import SHORTEST_WAIT_SECS, long_poll
from functions.http.openapi.bodies import Error, GatewayError, InvalidError, RefusedError
from functions.http.openapi.operation import BAD, ID, KEYED, TRACEPARENT_HEADER, Answer, path, query
from functions.http.parameters import (
    LONG_POLL_MAX_SECS,
    SUBMIT_MAX_SECS,
    case_index,
    idempotency_key,
    judge_path,
    uuid,
    wait_secs,
)
from functions.http.resolver import Resolver, Route
from functions.judging.body import JudgeBody
from functions.judging.model import Plan
from functions.judging.problem_store import StoredProblems
from functions.judging.requests import parse_judge_request
from functions.judging.runs import JudgedRuns, ProgressStore
from functions.judging.views import (
    FinalJudgeRun,
    JudgeAccepted,
    JudgeWaitOver,
    OpenJudgeRun,
    accepted_body,
    open_body,
    shows_output,
    text_within,
    timeout_body,
)
from functions.projects.authentication import authenticate
from functions.submissions.accept.acceptance import NewSubmission
from functions.submissions.cancellation import Cancellation
from functions.submissions.model import Kind, Submission
from functions.submissions.results.results import (
    ACCEPTING,
    IDEMPOTENCY_KEY,
    NO_SUCH_RESULT,
    SLOW,
    UNKNOWN,
    RawOutput,
    Results,
    others_before,
    output_answer,
    wait_parameter,
)
from functions.submissions.results.short_views import OutputLink
from functions.submissions.results.views import Cancelling, Deleted, cancelling_body, deleted_body
from functions.submissions.submit_api import accept_and_wait, program_rules


class JudgeResults(Results):
    """Judge runs of projects."""

    kind = Kind.JUDGE


def case_output(env: Env, row: Submission, index: int) -> Response[Any]:
    """Answer with the exact output of one case, or a link to it. Raises NotFoundError and ConflictError."""
    plan = Plan.of_json(row.plan or {})
    if index >= len(plan.cases) or not shows_output(plan.cases[index]):
        raise NotFoundError("There is no such case, or its visibility does not show its output.")
    if not row.is_final:
        raise ConflictError("The judge run is not finished, so its outputs are not complete yet.")
    run = next((case.run for case in env[JudgedRuns].results(row) if case.index == index), None)
    if run is None:
        raise NotFoundError("The program did not run on this case.")
    output = RawOutput(row.submission_id, run.stdout.head, run.stdout.object_key, run.stdout.size_bytes)
    try:
        return output_answer(env, output)
    except PayloadMissingError:  # deleted since the row was read
        raise NotFoundError(NO_SUCH_RESULT) from None


BODY_MAX_BYTES = 5 * 1024 * 1024
"""Of POST /api/judge. A Lambda call has at most 6 MB, with the body as a JSON string in it."""


@dataclass(frozen=True, slots=True)
class _Polled:
    """A row and its finished cases, as one poll read them."""

    row: Submission
    cases: Sequence[CaseResult]

    def has_news(self, after: int | None) -> bool:
        """Tell whether a poll ends: it is final, or a case from index `after` on is finished."""
        is_further = after is not None and any(case.index >= after for case in self.cases)
        return self.row.is_final or is_further


@dataclass(frozen=True, slots=True)
class JudgeRoutes:
    """The routes. All raise ServiceError."""

    env: Env

    def judge(self, app: Resolver) -> Response[str]:
        env, event = self.env, app.current_event
        begun = env[long_poll].monotonic()
        project = authenticate(event, env)
        asked_secs = wait_secs(event.query_string_parameters, SUBMIT_MAX_SECS, "true")
        secs = min(asked_secs, max(app.secs_left(), SHORTEST_WAIT_SECS))
        key = idempotency_key(event.headers)
        rules = program_rules(env, event, project)
        body = json_body(event, BODY_MAX_BYTES)
        find_problem = partial(env[StoredProblems].use, project.project_id)
        request = parse_judge_request(body, rules, find_problem, env.settings.judge_total_secs)
        request = replace(request, compresses=env.settings.compress_cases)
        new = NewSubmission(project, request, key, secs, event.correlation_id, event.traceparent, event.source)
        accepted = accept_and_wait(env, app, new, begun, JudgeResults)
        row = accepted.submission
        if row.is_final:
            return self._final(row, warnings=request.warnings)
        if secs:
            path = app.prefix + judge_path(row.submission_id)
            cases, behind = env[ProgressStore].cases(row), others_before(env, row)
            return answer(timeout_body(row, cases, path, request.warnings, behind), 408)
        return answer(accepted_body(row, accepted.queue_depth, request.warnings), 202)

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        """Answer with one judge run; with `wait`, hold the request until there is news."""
        env, query = self.env, app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, env).project_id
        secs = min(wait_secs(query, LONG_POLL_MAX_SECS), env.settings.longest_wait_secs)
        after = case_index(query["after"]) if "after" in query else None
        row = env[JudgeResults].get(uuid(id_text), project_id)

        def read() -> _Polled | None:
            current = env[JudgeResults].find(row.submission_id, project_id)
            return None if current is None else self._polled(current, after)

        waiting = env[long_poll].within(app.secs_left)
        polled = waiting.wait(self._polled(row, after), read, lambda polled: polled.has_news(after), secs)
        if polled is None:
            raise NotFoundError(NO_SUCH_RESULT)
        if polled.row.is_final:
            return self._final(polled.row, after=after or 0)
        cases, behind = env[ProgressStore].cases(polled.row), others_before(env, polled.row)
        return answer(open_body(polled.row, cases, after=after or 0, behind=behind))

    def stdout(self, app: Resolver, id_text: str, index_text: str) -> Response[Any]:
        return case_output(self.env, self._own(app, id_text), case_index(index_text))

    def cancel(self, app: Resolver, id_text: str) -> Response[str]:
        row = self.env[Cancellation].cancel(self._own(app, id_text))
        return self._final(row) if row.is_final else answer(cancelling_body(row), 202)

    def delete(self, app: Resolver, id_text: str) -> Response[str]:
        env, row = self.env, self._own(app, id_text)
        env[Cancellation].delete(row, env[long_poll].within(app.secs_left))
        env[ProgressStore].delete(row.submission_id)
        return answer(deleted_body(row))

    def _polled(self, row: Submission, after: int | None) -> _Polled:
        """Read the progress only where a poll waits for it."""
        has_progress = after is not None and not row.is_final
        return _Polled(row, self.env[ProgressStore].cases(row) if has_progress else ())

    def _final(self, row: Submission, *, after: int = 0, warnings: Sequence[str] = ()) -> Response[str]:
        text = text_within(row, self.env[JudgedRuns].results(row), after=after, warnings=warnings)
        return Response(status_code=200, content_type=JSON_TYPE, body=text)

    def _own(self, app: Resolver, id_text: str) -> Submission:
        project_id = authenticate(app.current_event, self.env).project_id
        return self.env[JudgeResults].get(uuid(id_text), project_id)


_EXAMPLES: dict[str, Any] = {
    "minimal": {
        "value": {
            "language": "python",
            "code": "print(sum(map(int, input().split())))",
            "cases": [{"stdin": "1 2\n", "expected": "3\n"}, {"stdin": "20 22\n", "expected": "42\n"}],
        }
    },
    "groups": {
        "value": {
            "language": "python",
            "code": "print(sum(map(float, input().split())))",
            "checker": {"kind": "tokens", "float_abs": 1e-6},
            "groups": [{"id": "small", "points": 30}, {"id": "large", "points": 70, "requires": ["small"]}],
            "cases": [
                {"id": "sample", "group": "small", "stdin": "1 2\n", "expected": "3\n"},
                {"group": "large", "stdin": "0.1 0.2\n", "expected": "0.3\n", "visibility": "verdict"},
            ],
            "stop": "group",
        }
    },
}

_ONE: dict[int, Answer] = {400: BAD, 404: UNKNOWN, **KEYED}

JUDGE_ROUTES: tuple[Route[JudgeRoutes], ...] = (
    Route(
        "POST /api/judge",
        JudgeRoutes.judge,
        "judge",
        "Judge a program on many test cases",
        {
            200: ("The judge run is finished.", (FinalJudgeRun,)),
            202: ("`wait=false`: queued.", (JudgeAccepted,)),
            400: (
                "`bad_request`: broken JSON, a bad `wait`, an unsupported language, code too large.",
                (RefusedError,),
            ),
            404: ("`not_found`: the judge run was deleted while the request waited for it.", (Error,)),
            408: ("The wait is over, and the judge run is not finished. It continues.", (JudgeWaitOver,)),
            413: ("`too_large`: the body is over 5 MiB. The gateway answers this over 6 MB.", (Error, GatewayError)),
            422: (
                "`invalid`: fields are missing, mistyped or wrong. Each is named: `cases[3].stdin`.",
                (InvalidError,),
            ),
            **ACCEPTING,
        },
        (wait_parameter(SUBMIT_MAX_SECS, default=True), IDEMPOTENCY_KEY, TRACEPARENT_HEADER),
        JudgeBody,
        _EXAMPLES,
        waits="by_default",
        rights=("run",),
    ),
    Route(
        "GET /api/judge/{id}",
        JudgeRoutes.one,
        "getJudgeRun",
        "One judge run, in any state",
        {200: ("Finished or not.", (FinalJudgeRun, OpenJudgeRun)), **_ONE, 504: SLOW},
        (
            ID,
            wait_parameter(LONG_POLL_MAX_SECS),
            query(
                "after",
                {"type": "integer", "minimum": 0, "maximum": 999},
                "Only cases from this index on. `wait` then ends as soon as one of them is finished.",
            ),
        ),
        waits="if_asked",
        rights=("run", "read"),
    ),
    Route(
        "POST /api/judge/{id}/cancel",
        JudgeRoutes.cancel,
        "cancelJudgeRun",
        "Stop a judge run",
        {
            200: ("It is finished, perhaps by this request.", (FinalJudgeRun,)),
            202: ("It is being stopped, and may still end by itself. Poll it for its result.", (Cancelling,)),
            **_ONE,
        },
        (ID,),
        rights=("run",),
    ),
    Route(
        "DELETE /api/judge/{id}",
        JudgeRoutes.delete,
        "deleteJudgeRun",
        "Stop a judge run if it goes on, and delete its code, cases and outputs",
        {
            200: ("Gone.", (Deleted,)),
            **_ONE,
            409: ("`conflict`: it is being stopped. Repeat the request.", (Error,)),
        },
        (ID,),
        waits="by_default",  # for the end of a running one
        rights=("files",),
    ),
    Route(
        "GET /api/judge/{id}/cases/{index}/stdout",
        JudgeRoutes.stdout,
        "getCaseStdout",
        "The raw output of one case",
        {
            200: (
                "The stored bytes. On AWS, of more than 4 MiB a link for five minutes.",
                ("application/octet-stream", OutputLink),
            ),
            400: BAD,
            404: (
                "`not_found`: no such judge run or case, its visibility hides the output, or the program did not run.",
                (Error,),
            ),
            409: ("`conflict`: the judge run is not finished.", (Error,)),
            **KEYED,
        },
        (
            ID,
            path("index", {"type": "integer", "minimum": 0, "maximum": MAX_CASES - 1}),
        ),
        rights=("run", "read"),
    ),
)
