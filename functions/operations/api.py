"""The routes of /api/admin. They need the administrator's key."""

from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import BAD, ID, KEYED, NO_ADMIN_KEY, PROJECT_ID, Answer, path
from functions.http.route import Route
from functions.operations.redrive import QUEUE_NAMES
from functions.operations.routes import OperationRoutes
from functions.operations.views import PurgedBody, RedrivenBody, TraceBody

_ADMIN: dict[int, Answer] = {400: BAD, **KEYED, 401: NO_ADMIN_KEY}
_QUEUE = path("queue", {"type": "string", "enum": list(QUEUE_NAMES)}, "The queue that the dead letters came from.")

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
