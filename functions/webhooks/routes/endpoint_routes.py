"""Routes of /api/webhooks: create, list, show, change and delete endpoints."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.page import cut
from functions.aws.dynamodb.retries import tries
from functions.errors import ConflictError, NotFoundError
from functions.failpoint import reach
from functions.http import parameters
from functions.http.answers import answer, page_answer
from functions.http.cursor import start_after
from functions.http.http_event import json_body
from functions.projects.authentication import authenticate
from functions.webhooks.endpoints.requests import parse_endpoint
from functions.webhooks.endpoints.views import (
    EndpointDeleted,
    created_key,
    endpoint_body,
    endpoint_filters,
    with_secret,
)
from functions.webhooks.routes.endpoint_change import EndpointChange
from functions.webhooks.routes.endpoint_creation import EndpointCreation
from functions.webhooks.routes.own_endpoints import CHANGED_MEANWHILE, NO_SUCH_ENDPOINT, OwnEndpoints
from functions.webhooks.routes.views import egress_body, endpoint_detail

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.webhooks.deployment import WebhookDeployment

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
        project_id = authenticate(app.current_event, self.deployment.projects).project_id
        key = parameters.idempotency_key(app.current_event.headers)
        request, settings = parse_endpoint(json_body(app.current_event), self.own.address_rules(app))
        endpoint, secret = EndpointCreation(self.deployment).create(project_id, request, settings, key)
        if secret is None:
            secret = self.own.secret(endpoint)
        else:
            self.own.note("Endpoint created", endpoint, app)
        return answer(with_secret(endpoint_body(endpoint, self.deployment.clock()), secret))

    def page(self, app: Resolver) -> Response[str]:
        """List the project's endpoints, newest first."""
        query = app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, self.deployment.projects).project_id
        limit, filters, now = parameters.page_limit(query), endpoint_filters(query), self.deployment.clock()
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
        endpoint = self.own.get(app, id_text)
        change = EndpointChange.of(self.own, json_body(app.current_event))
        for _ in tries(_TRIES):
            is_changed = change.change(endpoint, self.own.address_rules(app))
            endpoint = self.own.get(app, id_text)
            if is_changed:
                self.own.note("Endpoint changed", endpoint, app)
                return answer(endpoint_body(endpoint, self.deployment.clock()))
        raise ConflictError(CHANGED_MEANWHILE)

    def delete(self, app: Resolver, id_text: str) -> Response[str]:
        """Delete an endpoint. Its open deliveries are cancelled here or by the sweeper."""
        endpoint = self.own.get(app, id_text)
        changes, deletions = self.deployment.endpoint_changes, self.deployment.endpoint_deletions
        due_at_ms = changes.delete(endpoint.project_id, endpoint.endpoint_id, ordered=endpoint.ordered)
        if due_at_ms is None:
            raise NotFoundError(NO_SUCH_ENDPOINT)
        reach("endpoint.after_delete")
        with suppress(ClientError, BotoCoreError):  # the endpoint is deleted; the sweeper does the rest
            deletions.cancel_open(endpoint.project_id, endpoint.endpoint_id, due_at_ms, _CANCEL_MS)
        self.own.note("Endpoint deleted", endpoint, app)
        body: EndpointDeleted = {"id": endpoint.endpoint_id, "deleted": True}
        return answer(body)

    def egress_addresses(self, app: Resolver) -> Response[str]:  # noqa: ARG002 - as all routes
        """Show the networks that webhooks come from. Needs no key."""
        return answer(egress_body(self.deployment.settings.egress_addresses))
