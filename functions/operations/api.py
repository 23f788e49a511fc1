"""The routes of /api/admin. They need the administrator's key."""

from functions.http.openapi.bodies import Error, GatewayError, InvalidError
from functions.http.openapi.operation import BAD, ID, KEYED, NO_ADMIN_KEY, NOT_JSON, PROJECT_ID, Answer, path
from functions.http.route import Route
from functions.operations.redrive import QUEUE_NAMES
from functions.operations.requests import CreateRunnerTokenRequest
from functions.operations.routes import OperationRoutes
from functions.operations.runner_routes import RunnerRoutes
from functions.operations.runner_views import CreatedRunnerTokenBody, RunnerList, RunnerTokenBody, RunnerTokenList
from functions.operations.views import PurgedBody, RedrivenBody, TraceBody

_ADMIN: dict[int, Answer] = {400: BAD, **KEYED, 401: NO_ADMIN_KEY}
_QUEUE = path("queue", {"type": "string", "enum": list(QUEUE_NAMES)}, "The queue that the dead letters came from.")

_TOKEN_NAME = path("name", {"type": "string", "maxLength": 63}, "The token's name.")

OPERATION_ROUTES: tuple[Route[OperationRoutes], ...] = (
    Route(
        "GET",
        "/api/admin/submissions/{id}",
        OperationRoutes.trace,
        "traceSubmission",
        "The life of a submission: row, deliveries, attempts, and where its log lines are",
        {
            200: ("The submission's rows, history and log query.", (TraceBody,)),
            404: ("`not_found`: no such submission.", (Error,)),
            **_ADMIN,
        },
        (ID,),
        security="AdminKey",
    ),
    Route(
        "POST",
        "/api/admin/dead-letters/{queue}/redrive",
        OperationRoutes.redrive,
        "redriveDeadLetters",
        "Move dead letters back to their queue, for up to ten seconds",
        {
            200: ("The number of moved letters.", (RedrivenBody,)),
            404: ("`not_found`: characters that no name of a queue has.", (Error,)),
            **_ADMIN,
        },
        (_QUEUE,),
        security="AdminKey",
    ),
    Route(
        "POST",
        "/api/admin/projects/{id}/purge",
        OperationRoutes.purge,
        "purgeProject",
        "Delete submissions, endpoints, checks, their history and events of a disabled project, for up to ten seconds",
        {
            200: ("The numbers of deleted items; repeat until `complete`.", (PurgedBody,)),
            404: ("`not_found`: no such project.", (Error,)),
            409: ("`conflict`: the project is enabled.", (Error,)),
            **_ADMIN,
        },
        (PROJECT_ID,),
        security="AdminKey",
    ),
)
RUNNER_ROUTES: tuple[Route[RunnerRoutes], ...] = (
    Route(
        "GET",
        "/api/admin/runners",
        RunnerRoutes.runners,
        "listRunners",
        "The runners of the last 24 h, by name",
        {200: ("All runners.", (RunnerList,)), **_ADMIN},
        security="AdminKey",
    ),
    Route(
        "POST",
        "/api/admin/runner-tokens",
        RunnerRoutes.create_token,
        "createRunnerToken",
        "Create a token with which a runner of another host joins this machine",
        {
            200: ("The token. It is shown only here.", (CreatedRunnerTokenBody,)),
            409: ("`conflict`: this deployment takes no runners by token, or there is one of this name.", (Error,)),
            413: ("`too_large`: the body is over 1 MiB.", (Error, GatewayError)),
            415: NOT_JSON,
            422: ("`invalid`: the name is missing or not allowed.", (InvalidError,)),
            **_ADMIN,
        },
        (),
        CreateRunnerTokenRequest,
        examples={"typical": {"value": {"name": "host-b"}}},
        security="AdminKey",
    ),
    Route(
        "GET",
        "/api/admin/runner-tokens",
        RunnerRoutes.tokens,
        "listRunnerTokens",
        "All tokens of runners, with the runner that uses each",
        {200: ("All tokens.", (RunnerTokenList,)), **_ADMIN},
        security="AdminKey",
    ),
    Route(
        "DELETE",
        "/api/admin/runner-tokens/{name}",
        RunnerRoutes.revoke_token,
        "revokeRunnerToken",
        "Revoke a token for good: its runner is disconnected within seconds; repeating the call is safe",
        {
            200: ("The token as it is now.", (RunnerTokenBody,)),
            404: ("`not_found`: no token of this name.", (Error,)),
            **_ADMIN,
        },
        (_TOKEN_NAME,),
        security="AdminKey",
    ),
)
