"""The routes of languages and health."""

from functions.http.openapi.bodies import Error, GatewayError
from functions.http.openapi.operation import BAD, FAILED, OPEN, THROTTLED, query
from functions.http.route import Route
from functions.submissions.routes.health_routes import HealthRoutes
from functions.submissions.runners.views import HealthReport, LanguageDetails, Languages, NotReady, Ready

HEALTH_ROUTES: tuple[Route[HealthRoutes], ...] = (
    Route(
        "GET",
        "/api/languages",
        HealthRoutes.languages,
        "getLanguages",
        "Languages that this deployment offers",
        {
            200: ("Canonical names; with `detail=true` toolchains and ceilings too.", (Languages, LanguageDetails)),
            400: BAD,
            **OPEN,
        },
        parameters=(
            query(
                "detail",
                {"type": "boolean", "default": False},
                "Include toolchain versions and the ceilings of limits.",
            ),
        ),
        security=None,
    ),
    Route(
        "GET",
        "/api/health",
        HealthRoutes.health,
        "getHealth",
        "Health of the service",
        {
            200: ("Always.", (HealthReport,)),
            429: THROTTLED,
            500: FAILED,
            503: ("The gateway.", (GatewayError,)),
        },
        security=None,
        read_max_bytes=0,
        is_health=True,
    ),
    Route(
        "GET",
        "/api/health/ready",
        HealthRoutes.ready,
        "getReady",
        "Whether a runner is live",
        {
            200: ("Yes.", (Ready,)),
            429: THROTTLED,
            500: FAILED,
            503: ("No; or a part of the service is busy.", (NotReady, Error)),
        },
        security=None,
        read_max_bytes=0,
        is_health=True,
    ),
)
