"""Routes of /api/webhooks: create, list, show, change and delete endpoints."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.page import cut
from functions.aws.dynamodb.retries import tries
from functions.aws.dynamodb.row_codec import changes
from functions.clock import Clock, to_rfc3339
from functions.errors import ConflictError, IdempotencyConflictError, NotFoundError, UnavailableError
from functions.failpoint import reach
from functions.http import parameters
from functions.http.answers import answer, page_answer
from functions.http.cursor import start_after
from functions.http.http_event import json_body
from functions.http.validation import parse_body
from functions.ids import new_id
from functions.projects.authentication import authenticate
from functions.webhooks.deliveries.latencies import latency_body
from functions.webhooks.endpoints.changes import CreationClaimTakenError, EndpointLimitError
from functions.webhooks.endpoints.creation_claims import CreationClaim
from functions.webhooks.endpoints.custom_headers import HIDDEN
from functions.webhooks.endpoints.list_filters import endpoint_filters
from functions.webhooks.endpoints.model import MAX_ENDPOINTS, MAX_ORDERED, DisabledReason, Endpoint
from functions.webhooks.endpoints.requests import ChangeEndpointRequest, CreateEndpointRequest
from functions.webhooks.endpoints.rows import HEALTH
from functions.webhooks.endpoints.settings import changed_settings, new_settings
from functions.webhooks.endpoints.views import endpoint_body, with_secret
from functions.webhooks.routes.own_endpoints import CANNOT_READ, CHANGED_MEANWHILE, NO_SUCH_ENDPOINT, OwnEndpoints
from functions.webhooks.target.address_rules import AddressRules
from functions.webhooks.target.secret_box import UnsealError
from functions.webhooks.target.signature import new_secret

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.aws.dynamodb.items import Value
    from functions.http.resolver import Resolver
    from functions.projects.store import ProjectStore
    from functions.webhooks.deliveries.deletions import Deletions
    from functions.webhooks.deliveries.latencies import Latencies
    from functions.webhooks.endpoints.changes import EndpointChanges
    from functions.webhooks.endpoints.settings import RequestedSettings
    from functions.webhooks.endpoints.store import EndpointStore
    from functions.webhooks.routes.views import EndpointDetail
    from functions.webhooks.sending.attempt.endpoint_secrets import EndpointSecrets

_TRIES = 3
_LIMIT = f"A project has at most {MAX_ENDPOINTS} webhook endpoints, {MAX_ORDERED} of them ordered. Delete one first."
_SAME_TIME = "Another request with this Idempotency-Key has just created the endpoint. Repeat the request."
_CANCEL_MS = 5_000
"""Time limit for cancelling open deliveries in the request. The sweeper cancels the rest."""


@dataclass(frozen=True, slots=True)
class EndpointRoutes:
    """Handlers of /api/webhooks. All of them raise ServiceError. Logs hold no URL, header or secret."""

    endpoints: OwnEndpoints
    projects: ProjectStore
    store: EndpointStore
    changes: EndpointChanges
    deletions: Deletions
    secrets: EndpointSecrets
    allow_insecure: bool
    own_host: str
    latencies: Latencies
    clock: Clock

    def create(self, app: Resolver) -> Response[str]:
        """Create an endpoint. Only this response shows its secret, and a repeat with the same Idempotency-Key."""
        project_id = authenticate(app.current_event, self.projects).project_id
        key = parameters.idempotency_key(app.current_event.headers)
        request = parse_body(CreateEndpointRequest, json_body(app.current_event))
        settings = new_settings(request, self._rules(app))
        endpoint_id, secret, now = new_id(), request.secret or new_secret(), self.clock()
        box, public_key = self.secrets.new_keys(secret, project_id, endpoint_id, asymmetric=settings.asymmetric)
        claim = CreationClaim.of(key, request.model_dump_json(), endpoint_id) if key is not None else None
        if claim is not None and (repeated := self._repeated(project_id, claim)) is not None:
            return repeated
        endpoint = Endpoint(
            endpoint_id=endpoint_id,
            project_id=project_id,
            headers_box=self.secrets.seal_headers(settings.headers, project_id, endpoint_id),
            secret_box=box,
            public_key=public_key,
            disabled_reason=None if settings.enabled else DisabledReason.REQUEST,
            disabled_at=None if settings.enabled else to_rfc3339(now),
            created_at=to_rfc3339(now),
            updated_at=to_rfc3339(now),
            **settings.of_endpoint,
        )
        try:
            self.changes.create(endpoint, claim)
        except CreationClaimTakenError:
            repeated = None if claim is None else self._repeated(project_id, claim)
            if repeated is None:
                raise UnavailableError(_SAME_TIME, 1) from None
            return repeated
        except EndpointLimitError:
            raise ConflictError(_LIMIT) from None
        self.endpoints.note("Endpoint created", endpoint, app)
        return answer(with_secret(endpoint_body(endpoint, now), secret))

    def _repeated(self, project_id: str, claim: CreationClaim) -> Response[str] | None:
        """Answer a repeated creation with the endpoint that the first one made, as it is now; None for a first one."""
        earlier = self.changes.find_claim(claim, project_id)
        if earlier is None:
            return None
        if earlier.body_sha256 != claim.body_sha256:
            raise IdempotencyConflictError
        endpoint = self.store.get(project_id, earlier.endpoint_id)
        if endpoint is None:
            raise ConflictError("The endpoint that this Idempotency-Key created was deleted. Use a new key.")
        return answer(with_secret(endpoint_body(endpoint, self.clock()), self._secret(endpoint)))

    def page(self, app: Resolver) -> Response[str]:
        """List the project's endpoints, newest first."""
        query = app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, self.projects).project_id
        limit, filters, now = parameters.page_limit(query), endpoint_filters(query), self.clock()
        after = start_after(query, project_id)
        newest_first = reversed(self.store.list_all(project_id))
        wanted = [endpoint for endpoint in newest_first if filters.accept(endpoint, now)]
        page = cut(wanted, limit, _created_key, after)
        return page_answer(project_id, page, lambda endpoint: endpoint_body(endpoint, now), _created_key)

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        """Show one endpoint, with the latencies of its last deliveries."""
        endpoint, now = self.endpoints.get(app, id_text), self.clock()
        latencies = self.latencies.of(endpoint.project_id, endpoint.endpoint_id)
        body: EndpointDetail = {**endpoint_body(endpoint, now), "latency": latency_body(latencies, now)}
        return answer(body)

    def change(self, app: Resolver, id_text: str) -> Response[str]:
        """Change the given fields. Raises ConflictError if other requests keep changing the endpoint."""
        seen = self.endpoints.get(app, id_text)
        request = parse_body(ChangeEndpointRequest, json_body(app.current_event))
        for _ in tries(_TRIES):
            settings = changed_settings(seen, self._known_headers(seen, request), request, self._rules(app))
            sets, removes = self._writes(seen, settings)
            is_changed = self.changes.change(seen, self.clock(), sets, removes)
            seen = self.endpoints.get(app, id_text)
            if is_changed:
                self.endpoints.note("Endpoint changed", seen, app)
                return answer(endpoint_body(seen, self.clock()))
        raise ConflictError(CHANGED_MEANWHILE)

    def delete(self, app: Resolver, id_text: str) -> Response[str]:
        """Delete an endpoint. Its open deliveries are cancelled here or by the sweeper."""
        endpoint = self.endpoints.get(app, id_text)
        due_at_ms = self.changes.delete(endpoint.project_id, endpoint.endpoint_id, ordered=endpoint.ordered)
        if due_at_ms is None:
            raise NotFoundError(NO_SUCH_ENDPOINT)
        reach("endpoint.after_delete")
        with suppress(ClientError, BotoCoreError):  # the endpoint is deleted; the sweeper does the rest
            self.deletions.cancel_open(endpoint.project_id, endpoint.endpoint_id, due_at_ms, _CANCEL_MS)
        self.endpoints.note("Endpoint deleted", endpoint, app)
        return answer({"id": endpoint.endpoint_id, "deleted": True})

    def _known_headers(self, seen: Endpoint, change: ChangeEndpointRequest) -> dict[str, str]:
        """Return the stored headers that a change may keep; {} if it replaces all of them."""
        is_whole = change.headers is not None and HIDDEN not in change.headers.values()
        return {} if is_whole else self.endpoints.headers(seen)

    def _secret(self, endpoint: Endpoint) -> str:
        try:
            return self.secrets.current(endpoint)
        except UnsealError:
            raise ConflictError(CANNOT_READ) from None

    def _rules(self, app: Resolver) -> AddressRules:
        hosts = (app.current_event.request_context.domain_name or "", self.own_host)
        return AddressRules(self.allow_insecure, tuple(host for host in hosts if host))

    def _writes(self, seen: Endpoint, settings: RequestedSettings) -> tuple[dict[str, Value], tuple[str, ...]]:
        """Return attributes to set and to remove. Disabling sets the reason; enabling clears it and the failures."""
        sets, removes = changes(seen, replace(seen, **settings.of_endpoint))
        box = self.secrets.seal_headers(settings.headers, seen.project_id, seen.endpoint_id)
        if box is None:
            removes += ("headers_box",)
        else:
            sets["headers_box"] = box
        if settings.asymmetric is not (seen.public_key is not None):
            sets["secret_box"], public_key = self.secrets.new_keys(
                self._secret(seen), seen.project_id, seen.endpoint_id, asymmetric=settings.asymmetric
            )
            if public_key is None:
                removes += ("public_key",)
            else:
                sets["public_key"] = public_key
        if settings.enabled and not seen.enabled:
            removes += HEALTH
        elif seen.enabled and not settings.enabled:
            sets |= {"disabled_reason": DisabledReason.REQUEST.value, "disabled_at": to_rfc3339(self.clock())}
        return sets, removes


def _created_key(endpoint: Endpoint) -> str:
    return f"{endpoint.created_at}#{endpoint.endpoint_id}"
