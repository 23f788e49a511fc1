"""Routes of webhooks: the table of all, and those of deliveries."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from aws_lambda_powertools.event_handler import Response

from functions.clock import MS_PER_SEC, from_rfc3339, to_rfc3339
from functions.env import Env
from functions.errors import ConflictError, FieldProblem, InvalidFieldsError, NotFoundError, UnavailableError
from functions.event_log.model import TTL_MS
from functions.failpoint import reach
from functions.http.answers import answer, page_answer
from functions.http.http_event import json_body
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
from functions.http.parameters import page_limit, start_after
from functions.http.resolver import Resolver, Route
from functions.projects.authentication import authenticate
from functions.webhooks.deliveries.model import (
    OPEN_STATES,
    RUN_ENDPOINT_ID,
    SKEW_MS,
    TOKEN,
    Delivery,
    DeliveryState,
    Report,
    first_state,
)
from functions.webhooks.deliveries.replay import (
    MAX_ATTEMPTS,
    REPLAYABLE,
    DeliveryList,
    ReplayResult,
    replay,
    send_hint,
)
from functions.webhooks.deliveries.store import DeliveryStore, created_key
from functions.webhooks.deliveries.views import (
    DELIVERY_KEY,
    DeliveryDetail,
    DeliveryPage,
    DeliveryWaiting,
    ListedDelivery,
    Recovered,
    delivery_detail_body,
    delivery_filters,
    delivery_id,
    listed_body,
)
from functions.webhooks.endpoint_routes import EndpointRoutes
from functions.webhooks.endpoints.model import MAX_ENDPOINTS, Endpoint, Health
from functions.webhooks.endpoints.requests import (
    REPLAY_WINDOW_SECS,
    ChangeEndpointRequest,
    CreateEndpointRequest,
    RecoverRequest,
    ReplayRequest,
    RotateRequest,
    parse_replay,
)
from functions.webhooks.endpoints.store import EndpointStore
from functions.webhooks.recipients import RecipientRoutes
from functions.webhooks.sealed_secrets import SecretBoxes
from functions.webhooks.sending.lanes import LaneStore
from functions.webhooks.views import (
    EgressAddresses,
    EndpointDeleted,
    EndpointDetail,
    EndpointPage,
    EndpointValid,
    EndpointView,
    EndpointWithSecret,
    TestResult,
)
from functions.webhooks.vocabulary import EVENT_REPORT

# Routes of /api/deliveries: list and show deliveries, and replay them.

NO_SUCH_DELIVERY = "There is no such delivery."
_CANNOT_SIGN = "A final delivery to a run's own webhook has no secret any more. Repeat the request with webhook_secret."
_NO_BODY = "It was delivered as the event itself, before its endpoint had a transform. Send transform: again."
_WRONG_FORM = "The report of a run needs its token here: up to 255 visible ASCII characters."
_REFUSALS = {
    ReplayResult.EVENT_GONE: "The event is gone: its submission was deleted, or the event is older than 14 days.",
    ReplayResult.ALREADY_DUE: "The delivery is already due or being sent. Wait for its next attempt.",
    ReplayResult.ENDPOINT_DISABLED: "The endpoint is disabled or deleted. Enable it, then repeat the request.",
}


class DeliveryRoutes:
    """Handlers of /api/deliveries. All of them raise ServiceError."""

    def __init__(self, env: Env) -> None:
        self.env, self.deliveries, self.listing = env, env[DeliveryStore], env[DeliveryList]

    def page(self, app: Resolver) -> Response[str]:
        query = app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, self.env).project_id
        limit, filters = page_limit(query), delivery_filters(query)
        after = start_after(query, project_id, DELIVERY_KEY)
        page = self.listing.page(project_id, filters, limit=limit, after=after)
        rows = _with_deletions(page.rows, self._endpoints(page.rows))
        shown = [one for one in rows if filters.state in {None, one.state}]
        attempts = self.listing.newest_attempts(shown)

        def body(delivery: Delivery) -> ListedDelivery:
            return listed_body(delivery, attempts.get((delivery.event_id, delivery.endpoint_id)))

        return page_answer(project_id, replace(page, rows=tuple(shown)), body, created_key)

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        return self._show(self._own(app, id_text))

    def replay(self, app: Resolver, id_text: str) -> Response[str]:
        """Send one delivery again: same id and bytes, new timestamp, new schedule; another body only if asked for.

        One that was delivered without a body by a program has none to repeat.
        """
        delivery = self._own(app, id_text)
        if delivery.attempt >= MAX_ATTEMPTS:
            raise ConflictError(f"A delivery has at most {MAX_ATTEMPTS:,} attempts, and this one has used them.")
        event = app.current_event
        asked = parse_replay(json_body(event) if event.body else b"")
        endpoint = None
        if delivery.endpoint_id != RUN_ENDPOINT_ID:
            endpoint = self.env[EndpointStore].get(delivery.project_id, delivery.endpoint_id)
        if asked.transform == "again":
            delivery = delivery.without_body
        elif delivery.state is DeliveryState.DELIVERED and first_state(delivery, endpoint) is not DeliveryState.PENDING:
            raise ConflictError(_NO_BODY)
        is_kept = self._age_ms(delivery) < REPLAY_WINDOW_SECS * MS_PER_SEC
        replayed = ReplayResult.EVENT_GONE
        if is_kept:
            box = self._box(delivery, asked.webhook_secret)
            replayed = replay(self.env, delivery, box, endpoint)
        if replayed is ReplayResult.CONTENDED:
            raise UnavailableError("Other requests keep changing this delivery. Repeat the request.", 1)
        if replayed is ReplayResult.ALREADY_DUE and _cannot_sign(delivery):
            raise ConflictError(_CANNOT_SIGN)
        if replayed is not ReplayResult.DONE:
            raise ConflictError(_REFUSALS[replayed])
        reach("replay.after_write")
        send_hint(self.env, replace(delivery, state=first_state(delivery, endpoint)))
        return self._show(self._own(app, id_text), 202)

    def _endpoints(self, deliveries: Sequence[Delivery]) -> dict[str, Endpoint]:
        """Return the endpoints of a project by id, if one of its deliveries is open; else none."""
        open_ones = [one for one in deliveries if one.state in OPEN_STATES and one.endpoint_id != RUN_ENDPOINT_ID]
        if not open_ones:
            return {}
        return {each.endpoint_id: each for each in self.env[EndpointStore].list_all(open_ones[0].project_id)}

    def _box(self, delivery: Delivery, secret: str | None) -> bytes | None:
        """Seal the secret in a replay request for a run's own webhook; None for other deliveries."""
        if secret is None or delivery.endpoint_id != RUN_ENDPOINT_ID:
            return None
        if delivery.event_type == EVENT_REPORT:
            return self._report_box(delivery, secret)
        return self.env[SecretBoxes].seal(secret, delivery.project_id, RUN_ENDPOINT_ID)

    def _report_box(self, delivery: Delivery, token: str) -> bytes | None:
        if not re.fullmatch(TOKEN, token):
            raise InvalidFieldsError((FieldProblem("webhook_secret", _WRONG_FORM),))
        event = self.deliveries.get_event(delivery.event_id)
        if event is None:
            return None
        return self.env[SecretBoxes].seal(token, delivery.project_id, Report.of(event.body).owner, "report")

    def _show(self, delivery: Delivery, status: int = 200) -> Response[str]:
        endpoints = self._endpoints([delivery])
        (delivery,) = _with_deletions([delivery], endpoints)
        waiting = self._waiting(delivery, endpoints.get(delivery.endpoint_id))
        return answer(delivery_detail_body(delivery, waiting, self.listing.last_attempts(delivery)), status)

    def _waiting(self, delivery: Delivery, endpoint: Endpoint | None) -> DeliveryWaiting | None:
        """Return why a delivery waits. Only one that is due reads more than its row: see `_held`."""
        if delivery.state is DeliveryState.PAUSED:
            return {"reason": "endpoint_disabled"}
        if delivery.state not in {DeliveryState.TRANSFORMING, DeliveryState.PENDING, DeliveryState.RETRYING}:
            return None
        if delivery.next_at_ms > self.env.clock() + SKEW_MS:
            wait, until = delivery.transform_wait, to_rfc3339(delivery.next_at_ms)
            if wait is None:
                return {"reason": "scheduled", "until": until}
            return {"reason": "quota" if wait.for_quota else "transform", "until": until}
        if delivery.state is DeliveryState.TRANSFORMING:
            return {"reason": "transform"}
        return self._held(delivery, endpoint)

    def _held(self, delivery: Delivery, endpoint: Endpoint | None) -> DeliveryWaiting | None:
        """Return what a delivery that is due waits for, from its lane, and from the deliveries before it."""
        lanes = self.env[LaneStore]
        if endpoint is not None and endpoint.ordered and (behind := lanes.count_in_order(delivery)):
            return {"reason": "order", "behind": behind}
        lane = lanes.of(delivery)
        if lane is not None and lane.is_open:
            return {"reason": "breaker_open", "until": to_rfc3339(max(lane.probe_at_ms, self.env.clock()))}
        if lane is None or delivery.lane_at_ms is None:
            return None
        return {"reason": "slot", "behind": lanes.count_before(lane, delivery.lane_at_ms)}

    def _age_ms(self, delivery: Delivery) -> int:
        return self.env.clock() - from_rfc3339(delivery.created_at)

    def _own(self, app: Resolver, id_text: str) -> Delivery:
        """Return the caller's delivery.

        Raises UnauthorizedError, BadRequestError, NotFoundError, each with one text for every reason.
        """
        project_id = authenticate(app.current_event, self.env).project_id
        delivery = self.deliveries.get_delivery(*delivery_id(id_text))
        if delivery is None or delivery.project_id != project_id or self._age_ms(delivery) >= TTL_MS:
            raise NotFoundError(NO_SUCH_DELIVERY)
        return delivery


def _with_deletions(deliveries: Sequence[Delivery], present: Mapping[str, Endpoint]) -> list[Delivery]:
    """Return deliveries; open ones of a deleted endpoint as cancelled, before their rows are."""

    def shown(one: Delivery) -> Delivery:
        is_gone = one.state in OPEN_STATES and one.endpoint_id not in {RUN_ENDPOINT_ID, *present}
        return replace(one, state=DeliveryState.CANCELLED) if is_gone else one

    return [shown(one) for one in deliveries]


def _cannot_sign(delivery: Delivery) -> bool:
    return delivery.endpoint_id == RUN_ENDPOINT_ID and delivery.state in REPLAYABLE and not delivery.secret_box


# The routes of /api/webhooks, /api/deliveries and /api/egress-addresses.

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
        "GET /api/webhooks",
        EndpointRoutes.page,
        "listEndpoints",
        "List the project's endpoints, newest first",
        {200: ("One page.", (EndpointPage,)), 400: BAD, **KEYED},
        (
            query("state", {"enum": list(Health)}, "Only endpoints of this health."),
            query("since", {"type": "string", "format": "date-time"}, "Only endpoints created since this time."),
            *PAGE,
        ),
        rights=("read", "webhooks"),
    ),
    Route(
        "POST /api/webhooks",
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
        rights=("webhooks",),
    ),
    Route(
        "POST /api/webhooks/validate",
        EndpointRoutes.validate,
        "validateEndpoint",
        "Check the settings of a new endpoint, or of a change, without writing them",
        {200: ("A request with this body is not refused for it.", (EndpointValid,)), **_BODY, 404: _UNKNOWN},
        (query("id", {"type": "string", "format": "uuid"}, "The endpoint that the body changes, as PATCH does."),),
        CreateEndpointRequest,
        {"minimal": {"value": {"url": "https://hooks.example.com/rustbox"}}},
        rights=("read", "webhooks"),
    ),
    Route(
        "GET /api/webhooks/{id}",
        EndpointRoutes.one,
        "getEndpoint",
        "Show an endpoint",
        {200: ("The endpoint.", (EndpointDetail,)), **_ONE},
        (ID,),
        rights=("read", "webhooks"),
    ),
    Route(
        "PATCH /api/webhooks/{id}",
        EndpointRoutes.change,
        "changeEndpoint",
        "Change an endpoint",
        {200: ("The changed endpoint.", (EndpointView,)), **_BODY, 404: _UNKNOWN, 409: _CHANGED},
        (ID,),
        ChangeEndpointRequest,
        {"pause": {"value": {"enabled": False}}, "filter": {"value": {"events": ["submission.completed"]}}},
        rights=("webhooks",),
    ),
    Route(
        "DELETE /api/webhooks/{id}",
        EndpointRoutes.delete,
        "deleteEndpoint",
        "Delete an endpoint",
        {200: ("Deleted. Its remaining deliveries are cancelled.", (EndpointDeleted,)), **_ONE},
        (ID,),
        rights=("webhooks",),
    ),
    Route(
        "GET /api/egress-addresses",
        EndpointRoutes.egress_addresses,
        "listEgressAddresses",
        "The addresses that webhooks come from",
        {200: ("The networks that the operator has configured.", (EgressAddresses,)), **OPEN},
        security=None,
    ),
    Route(
        "POST /api/webhooks/{id}/rotate",
        EndpointRoutes.rotate,
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
        rights=("webhooks",),
    ),
    Route(
        "POST /api/webhooks/{id}/test",
        EndpointRoutes.test,
        "testEndpoint",
        "Send webhook.test now, also to a disabled endpoint",
        {
            200: ("Request and response of the test, successful or not.", (TestResult,)),
            **_ONE,
            409: ("`conflict`: a test or a recovery of it is running, or its secret is unreadable.", (Error,)),
            504: NO_RESPONSE,
        },
        (ID,),
        rights=("webhooks",),
    ),
    Route(
        "POST /api/webhooks/{id}/recover",
        EndpointRoutes.recover,
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
        rights=("webhooks",),
    ),
)
_PAGE: Answer = ("HTML.", ("text/html; charset=utf-8",))
_NO_LINK: Answer = ("`not_found`: no such link, or it is older than 24 hours.", (Error,))
_LINK = path("token", {"type": "string"}, "From the link in a mail.")
RECIPIENT_ROUTES: tuple[Route[RecipientRoutes], ...] = (
    Route(
        "GET /api/webhooks/recipients/{token}",
        RecipientRoutes.show,
        "getRecipientPage",
        "The page on which a recipient of e-mail decides",
        {200: _PAGE, 404: _NO_LINK, **OPEN},
        (_LINK,),
        security=None,
        has_secret=True,
    ),
    Route(
        "POST /api/webhooks/recipients/{token}",
        RecipientRoutes.decide,
        "decideAsRecipient",
        "Begin or stop the mails of an endpoint to its recipient",
        {200: _PAGE, 400: BAD, 404: _NO_LINK, 409: _CHANGED, **OPEN},
        (_LINK,),
        "application/x-www-form-urlencoded",
        {"agree": {"value": "mails=yes"}},
        security=None,
        has_secret=True,
    ),
)
DELIVERY_ROUTES: tuple[Route[DeliveryRoutes], ...] = (
    Route(
        "GET /api/deliveries",
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
        rights=("read", "webhooks"),
    ),
    Route(
        "GET /api/deliveries/{id}",
        DeliveryRoutes.one,
        "getDelivery",
        "Show a delivery with its attempts",
        {200: ("The delivery.", (DeliveryDetail,)), **_ONE, 404: _UNKNOWN_DELIVERY},
        (_DELIVERY,),
        rights=("read", "webhooks"),
    ),
    Route(
        "POST /api/deliveries/{id}/replay",
        DeliveryRoutes.replay,
        "replayDelivery",
        "Send a delivery again: same webhook-id and bytes, new timestamp",
        {
            202: ("It is due now, with a new schedule.", (DeliveryDetail,)),
            **_BODY,
            404: _UNKNOWN_DELIVERY,
            409: (
                "`conflict`: already due, event or endpoint gone or off, `webhook_secret` or `transform` missing.",
                (Error,),
            ),
        },
        (_DELIVERY,),
        ReplayRequest,
        {"to an endpoint": {"value": {}}, "to a run's own URL": {"value": {"webhook_secret": "the run's secret"}}},
        body_required=False,
        rights=("webhooks",),
    ),
)
