"""Routes of /api/webhooks: create, list, show, change and delete endpoints."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.table import cut, tries
from functions.clock import to_rfc3339
from functions.errors import ConflictError, IdempotencyConflictError, NotFoundError, UnavailableError
from functions.failpoint import reach
from functions.http.answers import answer, page_answer
from functions.http.http_event import json_body
from functions.http.parameters import idempotency_key, page_limit, start_after, uuid
from functions.http.validation import Problems, parse_body
from functions.ids import new_id
from functions.projects.authentication import authenticate
from functions.webhooks.endpoints.model import HIDDEN, MAX_ENDPOINTS, MAX_ORDERED, DisabledReason, Endpoint
from functions.webhooks.endpoints.requests import ChangeEndpointRequest, changed_settings, parse_endpoint
from functions.webhooks.endpoints.store import (
    HEALTH,
    CreationClaim,
    CreationClaimTakenError,
    EndpointLimitError,
    changed_attributes,
)
from functions.webhooks.endpoints.views import (
    EndpointDeleted,
    created_key,
    endpoint_body,
    endpoint_filters,
    with_secret,
)
from functions.webhooks.routes.views import egress_body, endpoint_detail
from functions.webhooks.sealed_secrets import UnsealError
from functions.webhooks.sending.lanes import resume_lane
from functions.webhooks.signature import new_secret

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.aws.dynamodb.items import Value
    from functions.http.resolver import Resolver
    from functions.webhooks.deployment import WebhookDeployment
    from functions.webhooks.endpoints.model import EndpointSettings
    from functions.webhooks.endpoints.requests import CreateEndpointRequest
    from functions.webhooks.webhook_url import AddressRules


NO_SUCH_ENDPOINT = "There is no such webhook endpoint."
CHANGED_MEANWHILE = "Another request changed the endpoint at the same time. Check it, then repeat the request."
CANNOT_READ = "The endpoint's secret cannot be read. Create a new one: POST to its /rotate."
_UNREADABLE_KEY = "The endpoint's routing key cannot be read. Send it again: PATCH with routing_key."
_UNREADABLE_HEADERS = "The endpoint's headers cannot be read. Send all of them again: PATCH with headers."


@dataclass(frozen=True, slots=True)
class OwnEndpoints:
    """Finds endpoints of the caller's project. Logs hold no URL, header or secret."""

    deployment: WebhookDeployment

    def get(self, app: Resolver, id_text: str) -> Endpoint:
        """Return the caller's endpoint. Raises UnauthorizedError, BadRequestError, NotFoundError."""
        project_id = authenticate(app.current_event, self.deployment).project_id
        endpoint = self.deployment.endpoints.get(project_id, uuid(id_text))
        if endpoint is None:
            raise NotFoundError(NO_SUCH_ENDPOINT)
        return endpoint

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        """Return its custom headers with their values. Raises ConflictError."""
        try:
            return self.deployment.endpoint_secrets.headers(endpoint)
        except UnsealError:
            raise ConflictError(_UNREADABLE_HEADERS) from None

    def routing_key(self, endpoint: Endpoint) -> str:
        """Return its key of PagerDuty, or "". Raises ConflictError."""
        try:
            return self.deployment.endpoint_secrets.routing_key(endpoint)
        except UnsealError:
            raise ConflictError(_UNREADABLE_KEY) from None

    def secret(self, endpoint: Endpoint) -> str:
        """Return its secret. Raises ConflictError."""
        try:
            return self.deployment.endpoint_secrets.current(endpoint)
        except UnsealError:
            raise ConflictError(CANNOT_READ) from None

    def address_rules(self, app: Resolver) -> AddressRules:
        """Return the rules for URLs."""
        return self.deployment.address_rules(app.current_event.request_context.domain_name)

    def note(self, phrase: str, endpoint: Endpoint, app: Resolver) -> None:
        """Log a change of an endpoint."""
        self.deployment.log.info(
            phrase, endpoint_id=endpoint.endpoint_id, project_id=endpoint.project_id, request_id=app.request_id
        )


_LIMIT = f"A project has at most {MAX_ENDPOINTS} webhook endpoints, {MAX_ORDERED} of them ordered. Delete one first."
_SAME_TIME = "Another request with this Idempotency-Key has just created the endpoint. Repeat the request."
_DELETED = "The endpoint that this Idempotency-Key created was deleted. Use a new key."


def _create(
    deployment: WebhookDeployment,
    project_id: str,
    request: CreateEndpointRequest,
    settings: EndpointSettings,
    key: str | None,
) -> tuple[Endpoint, str | None]:
    """Create an endpoint, once for each Idempotency-Key. A repeat gets the endpoint as it is now, and no secret.

    Raises ConflictError, IdempotencyConflictError, UnavailableError.
    """
    endpoint_id, now, secrets = new_id(), deployment.clock(), deployment.endpoint_secrets
    secret = request.secret or new_secret()
    box, public_key = secrets.new_keys(secret, project_id, endpoint_id, asymmetric=settings.asymmetric)
    claim = CreationClaim.of(key, request.model_dump_json(), endpoint_id) if key is not None else None
    if claim is not None and (earlier := _earlier(deployment, project_id, claim)) is not None:
        return earlier, None
    endpoint = Endpoint(
        endpoint_id=endpoint_id,
        project_id=project_id,
        headers_box=secrets.seal_headers(settings.headers, project_id, endpoint_id),
        routing_key_box=secrets.seal_routing_key(settings.routing_key, project_id, endpoint_id),
        secret_box=box,
        public_key=public_key,
        disabled_reason=None if settings.enabled else DisabledReason.REQUEST,
        disabled_at=None if settings.enabled else to_rfc3339(now),
        created_at=to_rfc3339(now),
        updated_at=to_rfc3339(now),
        **settings.hidden,
    )
    try:
        deployment.endpoints.create(endpoint, claim)
    except CreationClaimTakenError:
        same = None if claim is None else _earlier(deployment, project_id, claim)
        if same is None:
            raise UnavailableError(_SAME_TIME, 1) from None
        return same, None
    except EndpointLimitError:
        raise ConflictError(_LIMIT) from None
    return endpoint, secret


def _earlier(deployment: WebhookDeployment, project_id: str, claim: CreationClaim) -> Endpoint | None:
    """Return the endpoint that an earlier request with this key has created; None for a first request."""
    earlier = deployment.endpoints.find_claim(claim, project_id)
    if earlier is None:
        return None
    if earlier.body_sha256 != claim.body_sha256:
        raise IdempotencyConflictError
    endpoint = deployment.endpoints.get(project_id, earlier.endpoint_id)
    if endpoint is None:
        raise ConflictError(_DELETED)
    return endpoint


def _known_headers(own: OwnEndpoints, endpoint: Endpoint, given: dict[str, str] | None) -> dict[str, str]:
    """Return the stored headers that a change may keep; {} if it replaces all of them."""
    is_whole = given is not None and HIDDEN not in given.values()
    return {} if is_whole else own.headers(endpoint)


def _writes(
    own: OwnEndpoints, before: Endpoint, settings: EndpointSettings
) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Return attributes to set and to remove. Disabling sets the reason; enabling clears it and the failures."""
    secrets, ids = own.deployment.endpoint_secrets, (before.project_id, before.endpoint_id)
    after = replace(before, **settings.hidden, headers_box=secrets.seal_headers(settings.headers, *ids))
    if settings.routing_key != HIDDEN:
        after = replace(after, routing_key_box=secrets.seal_routing_key(settings.routing_key, *ids))
    if settings.asymmetric is not before.asymmetric:
        box, public_key = secrets.new_keys(own.secret(before), *ids, asymmetric=settings.asymmetric)
        after = replace(after, secret_box=box, public_key=public_key)
    sets, removes = changed_attributes(before, after)
    if settings.enabled and not before.enabled:
        removes += HEALTH
    elif before.enabled and not settings.enabled:
        disabled_at = to_rfc3339(own.deployment.clock())
        sets |= {"disabled_reason": DisabledReason.REQUEST.value, "disabled_at": disabled_at}
    return sets, removes


_TRIES = 3
_CANCEL_MS = 5_000
"""Time limit for cancelling open deliveries in the request. The sweeper cancels the rest."""


@dataclass(frozen=True, slots=True)
class EndpointRoutes:
    """Handlers of /api/webhooks. All of them raise ServiceError. Logs hold no URL, header or secret."""

    deployment: WebhookDeployment

    @property
    def own(self) -> OwnEndpoints:
        """The caller's endpoints."""
        return OwnEndpoints(self.deployment)

    def create(self, app: Resolver) -> Response[str]:
        """Create an endpoint. Only this response shows its secret, and a repeat with the same Idempotency-Key."""
        project_id = authenticate(app.current_event, self.deployment).project_id
        key = idempotency_key(app.current_event.headers)
        request, settings = parse_endpoint(json_body(app.current_event), self.own.address_rules(app))
        endpoint, secret = _create(self.deployment, project_id, request, settings, key)
        if secret is None:
            secret = self.own.secret(endpoint)
        else:
            self.own.note("Endpoint created", endpoint, app)
        return answer(with_secret(endpoint_body(endpoint, self.deployment.clock()), secret))

    def page(self, app: Resolver) -> Response[str]:
        """List the project's endpoints, newest first."""
        query = app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, self.deployment).project_id
        limit, filters, now = page_limit(query), endpoint_filters(query), self.deployment.clock()
        after = start_after(query, project_id)
        newest_first = reversed(self.deployment.endpoints.list_all(project_id))
        wanted = [endpoint for endpoint in newest_first if filters.accept(endpoint, now)]
        page = cut(wanted, limit, created_key, after)
        return page_answer(project_id, page, lambda endpoint: endpoint_body(endpoint, now), created_key)

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        """Show one endpoint, with the latencies of its last deliveries."""
        endpoint, now = self.own.get(app, id_text), self.deployment.clock()
        latencies = self.deployment.latencies.of(endpoint.project_id, endpoint.endpoint_id)
        return answer(endpoint_detail(endpoint, latencies, now))

    def change(self, app: Resolver, id_text: str) -> Response[str]:
        """Change the given fields. Raises ConflictError if other requests keep changing the endpoint."""
        endpoint, problems = self.own.get(app, id_text), Problems()
        request = parse_body(ChangeEndpointRequest, json_body(app.current_event), problems)
        for _ in tries(_TRIES):
            headers = _known_headers(self.own, endpoint, request.headers)
            settings = changed_settings(endpoint, headers, request, self.own.address_rules(app), problems)
            sets, removes = _writes(self.own, endpoint, settings)
            store, now = self.deployment.endpoints, self.deployment.clock()
            also = [resume_lane(store.table_name, endpoint, now)] if "failing_since_ms" in removes else []
            is_changed = store.change(endpoint, now, sets, removes, also)
            endpoint = self.own.get(app, id_text)
            if is_changed:
                self.own.note("Endpoint changed", endpoint, app)
                return answer(endpoint_body(endpoint, self.deployment.clock()))
        raise ConflictError(CHANGED_MEANWHILE)

    def delete(self, app: Resolver, id_text: str) -> Response[str]:
        """Delete an endpoint. Its open deliveries are cancelled here or by the sweeper."""
        endpoint = self.own.get(app, id_text)
        ids, deletions = (endpoint.project_id, endpoint.endpoint_id), self.deployment.endpoint_deletions
        due_at_ms = self.deployment.endpoints.delete(*ids, ordered=endpoint.ordered)
        if due_at_ms is None:
            raise NotFoundError(NO_SUCH_ENDPOINT)
        reach("endpoint.after_delete")
        with suppress(ClientError, BotoCoreError):  # the endpoint is deleted; the sweeper does the rest
            deletions.cancel_open(*ids, due_at_ms, _CANCEL_MS)
        self.own.note("Endpoint deleted", endpoint, app)
        body: EndpointDeleted = {"id": endpoint.endpoint_id, "deleted": True}
        return answer(body)

    def egress_addresses(self, app: Resolver) -> Response[str]:  # noqa: ARG002 - as all routes
        """Show the networks that webhooks come from. Needs no key."""
        return answer(egress_body(self.deployment.settings.egress_addresses))
