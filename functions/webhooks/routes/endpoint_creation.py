"""Create an endpoint, once for each Idempotency-Key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.clock import to_rfc3339
from functions.errors import ConflictError, IdempotencyConflictError, UnavailableError
from functions.ids import new_id
from functions.webhooks.endpoints.changes import CreationClaim, CreationClaimTakenError, EndpointLimitError
from functions.webhooks.endpoints.model import MAX_ENDPOINTS, MAX_ORDERED, DisabledReason, Endpoint
from functions.webhooks.target.signature import new_secret

if TYPE_CHECKING:
    from functions.webhooks.deployment import WebhookDeployment
    from functions.webhooks.endpoints.model import EndpointSettings
    from functions.webhooks.endpoints.requests import CreateEndpointRequest

_LIMIT = f"A project has at most {MAX_ENDPOINTS} webhook endpoints, {MAX_ORDERED} of them ordered. Delete one first."
_SAME_TIME = "Another request with this Idempotency-Key has just created the endpoint. Repeat the request."
_DELETED = "The endpoint that this Idempotency-Key created was deleted. Use a new key."


@dataclass(frozen=True, slots=True)
class EndpointCreation:
    """Creates endpoints."""

    deployment: WebhookDeployment

    def create(
        self, project_id: str, request: CreateEndpointRequest, settings: EndpointSettings, key: str | None
    ) -> tuple[Endpoint, str | None]:
        """Return the new endpoint and its secret. A repeat gets the endpoint as it is now, and None.

        Raises ConflictError, IdempotencyConflictError, UnavailableError.
        """
        endpoint_id, now = new_id(), self.deployment.clock()
        secrets = self.deployment.endpoint_secrets
        secret = request.secret or new_secret()
        box, public_key = secrets.new_keys(secret, project_id, endpoint_id, asymmetric=settings.asymmetric)
        claim = CreationClaim.of(key, request.model_dump_json(), endpoint_id) if key is not None else None
        if claim is not None and (earlier := self._earlier(project_id, claim)) is not None:
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
            self.deployment.endpoint_changes.create(endpoint, claim)
        except CreationClaimTakenError:
            same = None if claim is None else self._earlier(project_id, claim)
            if same is None:
                raise UnavailableError(_SAME_TIME, 1) from None
            return same, None
        except EndpointLimitError:
            raise ConflictError(_LIMIT) from None
        return endpoint, secret

    def _earlier(self, project_id: str, claim: CreationClaim) -> Endpoint | None:
        """Return the endpoint that an earlier request with this key has created; None for a first request."""
        earlier = self.deployment.endpoint_changes.find_claim(claim, project_id)
        if earlier is None:
            return None
        if earlier.body_sha256 != claim.body_sha256:
            raise IdempotencyConflictError
        endpoint = self.deployment.endpoints.get(project_id, earlier.endpoint_id)
        if endpoint is None:
            raise ConflictError(_DELETED)
        return endpoint
