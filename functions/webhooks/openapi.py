"""Operations of /api/webhooks and /api/deliveries."""

from typing import Any

from functions.http.openapi.bodies import Error, GatewayError, InvalidError
from functions.http.openapi.operation import BAD, ID, KEYED, PAGE, Answer, Operation, query
from functions.webhooks import openapi_bodies as shapes
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.endpoints.model import MAX_ENDPOINTS
from functions.webhooks.endpoints.requests import (
    ChangeEndpointRequest,
    CreateEndpointRequest,
    RecoverRequest,
    ReplayRequest,
    RotateRequest,
)

_UNKNOWN: Answer = ("`not_found`: the project has no such endpoint.", (Error,))
_UNKNOWN_DELIVERY: Answer = ("`not_found`: the project has no such delivery.", (Error,))
_SLOW: Answer = ("The gateway: no answer within 30 s.", (GatewayError,))
_BODY: dict[int, Answer] = {
    400: ("`bad_request`: broken JSON, or the id is not a UUID.", (Error,)),
    413: (
        "`too_large`: the body is over 1 MiB. The gateway answers this over 6 MB.",
        (Error, GatewayError),
    ),
    415: ("`unsupported_media_type`: the body is not application/json.", (Error,)),
    422: ("`invalid`: fields are missing, mistyped or refused.", (InvalidError,)),
    504: _SLOW,
    **KEYED,
}
_ONE: dict[int, Answer] = {400: BAD, 404: _UNKNOWN, **KEYED}
_CHANGED: Answer = ("`conflict`: it was changed by others at the same moment.", (Error,))
_DELIVERY: dict[str, Any] = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "<event id>.<endpoint id>, or <event id>.run",
}

_CREATE = Operation(
    "/api/webhooks",
    "POST",
    "createEndpoint",
    "Make a webhook endpoint",
    {
        200: ("Made. The secret is shown this once.", (shapes.EndpointWithSecret,)),
        **_BODY,
        409: (f"`conflict`: the project has {MAX_ENDPOINTS} endpoints.", (Error,)),
    },
    request=CreateEndpointRequest,
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
)
_LIST = Operation(
    "/api/webhooks",
    "GET",
    "listEndpoints",
    "The project's endpoints, newest first",
    {200: ("One page.", (shapes.EndpointPage,)), 400: BAD, **KEYED},
    PAGE,
)
_GET = Operation(
    "/api/webhooks/{id}", "GET", "getEndpoint", "One endpoint", {200: ("It.", (shapes.EndpointView,)), **_ONE}, (ID,)
)
_CHANGE = Operation(
    "/api/webhooks/{id}",
    "PATCH",
    "changeEndpoint",
    "Change an endpoint",
    {200: ("As it is now.", (shapes.EndpointView,)), **_BODY, 404: _UNKNOWN, 409: _CHANGED},
    (ID,),
    ChangeEndpointRequest,
    {"pause": {"value": {"enabled": False}}, "filter": {"value": {"events": ["submission.completed"]}}},
)
_DELETE = Operation(
    "/api/webhooks/{id}",
    "DELETE",
    "deleteEndpoint",
    "Delete an endpoint",
    {200: ("Gone. What it was still owed is cancelled.", (shapes.EndpointDeleted,)), **_ONE},
    (ID,),
)
_ROTATE = Operation(
    "/api/webhooks/{id}/rotate",
    "POST",
    "rotateSecret",
    "Give an endpoint a new secret",
    {200: ("The new secret, shown this once.", (shapes.EndpointWithSecret,)), **_BODY, 404: _UNKNOWN, 409: _CHANGED},
    (ID,),
    RotateRequest,
    {"a day of overlap": {"value": {}}, "at once": {"value": {"overlap_secs": 0}}},
    body_required=False,
)
_TEST = Operation(
    "/api/webhooks/{id}/test",
    "POST",
    "testEndpoint",
    "Send webhook.test now, also to a disabled endpoint",
    {
        200: ("What was sent and what came back, success or not.", (shapes.TestResult,)),
        **_ONE,
        409: ("`conflict`: a test or a recovery of it is under way, or its secret is unreadable.", (Error,)),
        504: _SLOW,
    },
    (ID,),
)
_RECOVER = Operation(
    "/api/webhooks/{id}/recover",
    "POST",
    "recoverEndpoint",
    "Send again what failed, was blocked or paused since a time",
    {
        200: ("How far it came in 20 s.", (shapes.Recovered,)),
        **_BODY,
        404: _UNKNOWN,
        409: ("`conflict`: it is disabled, or a test or a recovery of it is under way.", (Error,)),
    },
    (ID,),
    RecoverRequest,
    {"since": {"value": {"since": "2026-11-24T12:00:00Z"}}},
)
_LIST_DELIVERIES = Operation(
    "/api/deliveries",
    "GET",
    "listDeliveries",
    "The project's deliveries, newest first",
    {200: ("One page.", (shapes.DeliveryPage,)), 400: BAD, **KEYED},
    (
        query("submission_id", {"type": "string", "format": "uuid"}, "Only those of this run."),
        query("endpoint_id", {"type": "string"}, "Only those to this endpoint; run: to the runs' own URLs."),
        query("state", {"enum": list(DeliveryState)}, "Only these."),
        *PAGE,
    ),
)
_GET_DELIVERY = Operation(
    "/api/deliveries/{id}",
    "GET",
    "getDelivery",
    "One delivery with its attempts",
    {200: ("It.", (shapes.DeliveryDetail,)), **_ONE, 404: _UNKNOWN_DELIVERY},
    (_DELIVERY,),
)
_REPLAY = Operation(
    "/api/deliveries/{id}/replay",
    "POST",
    "replayDelivery",
    "Send one again: same webhook-id and bytes, fresh timestamp",
    {
        202: ("It is due now; its schedule begins anew.", (shapes.DeliveryDetail,)),
        **_BODY,
        404: _UNKNOWN_DELIVERY,
        409: (
            "`conflict`: about to be sent, event gone, endpoint off or deleted, or a run's without `webhook_secret`.",
            (Error,),
        ),
    },
    (_DELIVERY,),
    ReplayRequest,
    {"to an endpoint": {"value": {}}, "to a run's own URL": {"value": {"webhook_secret": "the run's secret"}}},
    body_required=False,
)

WEBHOOK_OPERATIONS = (
    _CREATE,
    _LIST,
    _GET,
    _CHANGE,
    _DELETE,
    _ROTATE,
    _TEST,
    _RECOVER,
    _LIST_DELIVERIES,
    _GET_DELIVERY,
    _REPLAY,
)
