"""The routes of /api/judge."""

from typing import Any

from events.files import MAX_CASES
from functions.http.openapi.bodies import Error, GatewayError, InvalidError, RefusedError
from functions.http.openapi.operation import BAD, ID, KEYED, TRACEPARENT_HEADER, path, query
from functions.http.parameters import LONG_POLL_MAX_SECS, SUBMIT_MAX_SECS
from functions.http.route import Route
from functions.judging.body import JudgeBody
from functions.judging.routes import JudgeRoutes
from functions.judging.views import FinalJudgeRun, JudgeAccepted, JudgeWaitOver, OpenJudgeRun
from functions.submissions.api.answers import ACCEPTING, IDEMPOTENCY_KEY, SLOW, UNKNOWN, wait_parameter
from functions.submissions.results.short_views import OutputLink
from functions.submissions.results.views import Cancelling, Deleted

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

JUDGE_ROUTES: tuple[Route[JudgeRoutes], ...] = (
    Route(
        "POST",
        "/api/judge",
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
    ),
    Route(
        "GET",
        "/api/judge/{id}",
        JudgeRoutes.one,
        "getJudgeRun",
        "One judge run, in any state",
        {
            200: ("Finished or not.", (FinalJudgeRun, OpenJudgeRun)),
            400: BAD,
            404: UNKNOWN,
            504: SLOW,
            **KEYED,
        },
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
    ),
    Route(
        "POST",
        "/api/judge/{id}/cancel",
        JudgeRoutes.cancel,
        "cancelJudgeRun",
        "Stop a judge run",
        {
            200: ("It is finished, perhaps by this request.", (FinalJudgeRun,)),
            202: ("It is being stopped. Poll it for its result.", (Cancelling,)),
            400: BAD,
            404: UNKNOWN,
            **KEYED,
        },
        (ID,),
    ),
    Route(
        "DELETE",
        "/api/judge/{id}",
        JudgeRoutes.delete,
        "deleteJudgeRun",
        "Stop a judge run if it goes on, and delete its code, cases and outputs",
        {
            200: ("Gone.", (Deleted,)),
            400: BAD,
            404: UNKNOWN,
            409: ("`conflict`: it is being stopped. Repeat the request.", (Error,)),
            **KEYED,
        },
        (ID,),
        waits="by_default",  # for the end of a running one
    ),
    Route(
        "GET",
        "/api/judge/{id}/cases/{index}/stdout",
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
    ),
)
