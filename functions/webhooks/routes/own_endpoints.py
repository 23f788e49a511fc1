"""The caller's endpoints: what all routes of endpoints share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.errors import ConflictError, NotFoundError
from functions.http import parameters
from functions.projects.authentication import authenticate
from functions.webhooks.target.secret_box import UnsealError

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.clock import Clock
    from functions.http.resolver import Resolver
    from functions.projects.store import ProjectStore
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.endpoints.store import EndpointStore
    from functions.webhooks.sending.attempt.endpoint_secrets import EndpointSecrets

NO_SUCH_ENDPOINT = "There is no such webhook endpoint."
CHANGED_MEANWHILE = "Another request changed the endpoint at the same time. Check it, then repeat the request."
CANNOT_READ = "The endpoint's secret cannot be read. Create a new one: POST to its /rotate."
_UNREADABLE_HEADERS = "The endpoint's headers cannot be read. Send all of them again: PATCH with headers."


@dataclass(frozen=True, slots=True)
class OwnEndpoints:
    """Finds endpoints of the caller's project. Logs hold no URL, header or secret."""

    projects: ProjectStore
    store: EndpointStore
    secrets: EndpointSecrets
    clock: Clock
    log: Logger

    def get(self, app: Resolver, id_text: str) -> Endpoint:
        """Return the caller's endpoint. Raises UnauthorizedError, BadRequestError, NotFoundError."""
        project_id = authenticate(app.current_event, self.projects).project_id
        endpoint = self.store.get(project_id, parameters.uuid(id_text))
        if endpoint is None:
            raise NotFoundError(NO_SUCH_ENDPOINT)
        return endpoint

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        """Return its custom headers with their values. Raises ConflictError."""
        try:
            return self.secrets.headers(endpoint)
        except UnsealError:
            raise ConflictError(_UNREADABLE_HEADERS) from None

    def note(self, phrase: str, endpoint: Endpoint, app: Resolver) -> None:
        """Log a change of an endpoint."""
        self.log.info(
            phrase, endpoint_id=endpoint.endpoint_id, project_id=endpoint.project_id, request_id=app.request_id
        )
