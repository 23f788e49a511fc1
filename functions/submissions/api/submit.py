"""The route POST /api/submit."""

from typing import Any

from functions.http.openapi.bodies import Error, GatewayError, InvalidError, RefusedError
from functions.http.openapi.operation import TRACEPARENT_HEADER
from functions.http.parameters import SUBMIT_MAX_SECS
from functions.http.route import Route
from functions.submissions.accept.requests import SubmitRequest
from functions.submissions.api.answers import ACCEPTING, IDEMPOTENCY_KEY, SHAPE, wait_parameter
from functions.submissions.results.compact_views import CompactFinal
from functions.submissions.results.views import Accepted, FinalResult, WaitOver
from functions.submissions.routes.submit_routes import SubmitRoutes

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
        "POST",
        "/api/submit",
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
    ),
)
