"""The routes of the status page."""

from functions.checks.status_pages.model import StatusPageSettings
from functions.checks.status_routes import StatusRoutes
from functions.checks.views import StatusPageDeleted, StatusPageView
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import BAD, KEYED, OPEN, TAKES_BODY, Answer, path
from functions.http.route import Route

_OFF: Answer = ("`not_found`: the project has no status page.", (Error,))

STATUS_ROUTES: tuple[Route[StatusRoutes], ...] = (
    Route(
        "GET",
        "/api/status-page",
        StatusRoutes.show,
        "getStatusPage",
        "Show what the project's status page shows",
        {200: ("The page.", (StatusPageView,)), 404: _OFF, **KEYED},
    ),
    Route(
        "PUT",
        "/api/status-page",
        StatusRoutes.put,
        "putStatusPage",
        "Make a public page of chosen checks, or change it",
        {
            200: ("The page, with its address.", (StatusPageView,)),
            400: BAD,
            409: ("`conflict`: another request changed it.", (Error,)),
            **TAKES_BODY,
        },
        request=StatusPageSettings,
        examples={"two checks": {"value": {"title": "Example", "checks": ["totals", "backup"]}}},
    ),
    Route(
        "DELETE",
        "/api/status-page",
        StatusRoutes.delete,
        "deleteStatusPage",
        "Turn the status page off",
        {200: ("Nobody sees it any more.", (StatusPageDeleted,)), 404: _OFF, **KEYED},
    ),
    Route(
        "GET",
        "/status/{token}",
        StatusRoutes.page,
        "getPublicStatusPage",
        "The public page: states, 90 days and incidents of the chosen checks",
        {
            200: ("HTML; cached for 60 s.", ("text/html; charset=utf-8",)),
            404: ("`not_found`: no such page.", (Error,)),
            **OPEN,
        },
        (path("token", {"type": "string"}),),
        security=None,
        has_secret=True,
    ),
)
