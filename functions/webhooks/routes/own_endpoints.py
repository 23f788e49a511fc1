"""The caller's endpoints: what all routes of endpoints share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.errors import ConflictError, NotFoundError
from functions.http import parameters
from functions.projects.authentication import authenticate
from functions.webhooks.target.secret_box import UnsealError

if TYPE_CHECKING:
    from functions.http.resolver import Resolver
    from functions.webhooks.deployment import WebhookDeployment
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.target.webhook_url import AddressRules

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
        project_id = authenticate(app.current_event, self.deployment.projects).project_id
        endpoint = self.deployment.endpoints.get(project_id, parameters.uuid(id_text))
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
