"""The routes of /api/webhooks, /api/deliveries and /api/egress-addresses."""

from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import (
    BAD,
    ID,
    IDEMPOTENCY_HEADER,
    KEYED,
    NO_RESPONSE,
    OPEN,
    PAGE,
    TAKES_BODY,
    Answer,
    path,
    query,
)
from functions.http.resolver import Route
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.deliveries.views import DeliveryDetail, DeliveryPage, Recovered
from functions.webhooks.endpoints.model import MAX_ENDPOINTS, Health
from functions.webhooks.endpoints.requests import (
    ChangeEndpointRequest,
    CreateEndpointRequest,
    RecoverRequest,
    ReplayRequest,
    RotateRequest,
)
from functions.webhooks.endpoints.views import EndpointDeleted, EndpointPage, EndpointView, EndpointWithSecret
from functions.webhooks.routes.action_routes import EndpointActionRoutes
from functions.webhooks.routes.delivery_routes import DeliveryRoutes
from functions.webhooks.routes.endpoint_routes import EndpointRoutes
from functions.webhooks.routes.views import EgressAddresses, EndpointDetail, TestResult

_UNKNOWN: Answer = ("`not_found`: the project has no such endpoint.", (Error,))
_UNKNOWN_DELIVERY: Answer = ("`not_found`: the project has no such delivery.", (Error,))
_BODY: dict[int, Answer] = {
    400: ("`bad_request`: broken JSON, or the id is not a UUID.", (Error,)),
    504: NO_RESPONSE,
    **TAKES_BODY,
}
_ONE: dict[int, Answer] = {400: BAD, 404: _UNKNOWN, **KEYED}
_CHANGED: Answer = ("`conflict`: another request changed it at the same time.", (Error,))
_DELIVERY = path("id", {"type": "string"}, "<event id>.<endpoint id>, or <event id>.run")

ENDPOINT_ROUTES: tuple[Route[EndpointRoutes], ...] = (
    Route(
        "GET",
        "/api/webhooks",
        EndpointRoutes.page,
        "listEndpoints",
        "List the project's endpoints, newest first",
        {200: ("One page.", (EndpointPage,)), 400: BAD, **KEYED},
        (
            query("state", {"enum": list(Health)}, "Only endpoints of this health."),
            query("since", {"type": "string", "format": "date-time"}, "Only endpoints created since this time."),
            *PAGE,
        ),
    ),
    Route(
        "POST",
        "/api/webhooks",
        EndpointRoutes.create,
        "createEndpoint",
        "Create a webhook endpoint",
        {
            200: ("Created. Only this response shows the secret.", (EndpointWithSecret,)),
            **_BODY,
            409: (
                f"`conflict`: the project has {MAX_ENDPOINTS} endpoints. `idempotency_conflict`: another body.",
                (Error,),
            ),
        },
        (
            IDEMPOTENCY_HEADER
            | {"description": "Kept for 24 h. The same key and body: the same endpoint, with its secret."},
        ),
        CreateEndpointRequest,
        examples={
            "minimal": {"value": {"url": "https://hooks.example.com/rustbox"}},
            "full": {
                "value": {
                    "url": "https://hooks.example.com:8443/rustbox?team=7",
                    "events": ["submission.completed"],
                    "description": "Grades go to the course server",
                    "enabled": True,
                    "headers": {"authorization": "Bearer receiver-token", "x-team": "7"},
                }
            },
        },
    ),
    Route(
        "GET",
        "/api/webhooks/{id}",
        EndpointRoutes.one,
        "getEndpoint",
        "Show an endpoint",
        {200: ("The endpoint.", (EndpointDetail,)), **_ONE},
        (ID,),
    ),
    Route(
        "PATCH",
        "/api/webhooks/{id}",
        EndpointRoutes.change,
        "changeEndpoint",
        "Change an endpoint",
        {200: ("The changed endpoint.", (EndpointView,)), **_BODY, 404: _UNKNOWN, 409: _CHANGED},
        (ID,),
        ChangeEndpointRequest,
        {"pause": {"value": {"enabled": False}}, "filter": {"value": {"events": ["submission.completed"]}}},
    ),
    Route(
        "DELETE",
        "/api/webhooks/{id}",
        EndpointRoutes.delete,
        "deleteEndpoint",
        "Delete an endpoint",
        {200: ("Deleted. Its remaining deliveries are cancelled.", (EndpointDeleted,)), **_ONE},
        (ID,),
    ),
    Route(
        "GET",
        "/api/egress-addresses",
        EndpointRoutes.egress_addresses,
        "listEgressAddresses",
        "The addresses that webhooks come from",
        {200: ("The networks that the operator has configured.", (EgressAddresses,)), **OPEN},
        security=None,
    ),
)
ENDPOINT_ACTION_ROUTES: tuple[Route[EndpointActionRoutes], ...] = (
    Route(
        "POST",
        "/api/webhooks/{id}/rotate",
        EndpointActionRoutes.rotate,
        "rotateSecret",
        "Replace the secret of an endpoint",
        {
            200: ("Replaced. Only this response shows the new secret.", (EndpointWithSecret,)),
            **_BODY,
            404: _UNKNOWN,
            409: _CHANGED,
        },
        (ID,),
        RotateRequest,
        {"one day of overlap": {"value": {}}, "no overlap": {"value": {"overlap_secs": 0}}},
        body_required=False,
    ),
    Route(
        "POST",
        "/api/webhooks/{id}/test",
        EndpointActionRoutes.test,
        "testEndpoint",
        "Send webhook.test now, also to a disabled endpoint",
        {
            200: ("Request and response of the test, successful or not.", (TestResult,)),
            **_ONE,
            409: ("`conflict`: a test or a recovery of it is running, or its secret is unreadable.", (Error,)),
            504: NO_RESPONSE,
        },
        (ID,),
    ),
    Route(
        "POST",
        "/api/webhooks/{id}/recover",
        EndpointActionRoutes.recover,
        "recoverEndpoint",
        "Send an endpoint's failed, blocked and paused deliveries again, since a time",
        {
            200: ("Result of at most 20 s.", (Recovered,)),
            **_BODY,
            404: _UNKNOWN,
            409: ("`conflict`: it is disabled, or a test or a recovery of it is running.", (Error,)),
        },
        (ID,),
        RecoverRequest,
        {"since": {"value": {"since": "2026-11-24T12:00:00Z"}}},
    ),
)
DELIVERY_ROUTES: tuple[Route[DeliveryRoutes], ...] = (
    Route(
        "GET",
        "/api/deliveries",
        DeliveryRoutes.page,
        "listDeliveries",
        "List the project's deliveries, newest first",
        {200: ("One page.", (DeliveryPage,)), 400: BAD, **KEYED},
        (
            query("submission_id", {"type": "string", "format": "uuid"}, "Only deliveries of this submission."),
            query("endpoint_id", {"type": "string"}, "Only deliveries to this endpoint; run: to the runs' own URLs."),
            query("state", {"enum": list(DeliveryState)}, "Only deliveries in this state."),
            query("since", {"type": "string", "format": "date-time"}, "Only deliveries created since this time."),
            *PAGE,
        ),
    ),
    Route(
        "GET",
        "/api/deliveries/{id}",
        DeliveryRoutes.one,
        "getDelivery",
        "Show a delivery with its attempts",
        {200: ("The delivery.", (DeliveryDetail,)), **_ONE, 404: _UNKNOWN_DELIVERY},
        (_DELIVERY,),
    ),
    Route(
        "POST",
        "/api/deliveries/{id}/replay",
        DeliveryRoutes.replay,
        "replayDelivery",
        "Send a delivery again: same webhook-id and bytes, new timestamp",
        {
            202: ("It is due now, with a new schedule.", (DeliveryDetail,)),
            **_BODY,
            404: _UNKNOWN_DELIVERY,
            409: (
                "`conflict`: already due, event gone, endpoint disabled or deleted, or `webhook_secret` missing.",
                (Error,),
            ),
        },
        (_DELIVERY,),
        ReplayRequest,
        {"to an endpoint": {"value": {}}, "to a run's own URL": {"value": {"webhook_secret": "the run's secret"}}},
        body_required=False,
    ),
)
