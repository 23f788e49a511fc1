"""Change the settings of an endpoint."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions.clock import to_rfc3339
from functions.http.problems import Problems
from functions.http.validation import parse_body
from functions.webhooks.endpoints.model import HIDDEN, DisabledReason
from functions.webhooks.endpoints.requests import ChangeEndpointRequest, changed_settings
from functions.webhooks.endpoints.store import HEALTH, changed_attributes

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Value
    from functions.webhooks.endpoints.model import Endpoint, EndpointSettings
    from functions.webhooks.routes.own_endpoints import OwnEndpoints
    from functions.webhooks.target.webhook_url import AddressRules


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """A requested change of an endpoint. `problems`: those of its shape."""

    endpoints: OwnEndpoints
    request: ChangeEndpointRequest
    problems: Problems

    @classmethod
    def of(cls, endpoints: OwnEndpoints, raw: bytes) -> EndpointChange:
        """Read a body. Raises BadRequestError."""
        problems = Problems()
        return cls(endpoints, parse_body(ChangeEndpointRequest, raw, problems), problems)

    def change(self, endpoint: Endpoint, rules: AddressRules) -> bool:
        """Change the given fields; False if the endpoint has changed since it was read.

        Raises InvalidFieldsError, ConflictError.
        """
        deployment = self.endpoints.deployment
        settings = changed_settings(endpoint, self._known_headers(endpoint), self.request, rules, self.problems)
        sets, removes = self._writes(endpoint, settings)
        return deployment.endpoint_changes.change(endpoint, deployment.clock(), sets, removes)

    def _known_headers(self, endpoint: Endpoint) -> dict[str, str]:
        """Return the stored headers that a change may keep; {} if it replaces all of them."""
        given = self.request.headers
        is_whole = given is not None and HIDDEN not in given.values()
        return {} if is_whole else self.endpoints.headers(endpoint)

    def _writes(self, before: Endpoint, settings: EndpointSettings) -> tuple[dict[str, Value], tuple[str, ...]]:
        """Return attributes to set and to remove. Disabling sets the reason; enabling clears it and the failures."""
        deployment = self.endpoints.deployment
        secrets, ids = deployment.endpoint_secrets, (before.project_id, before.endpoint_id)
        after = replace(before, **settings.hidden, headers_box=secrets.seal_headers(settings.headers, *ids))
        if settings.routing_key != HIDDEN:
            after = replace(after, routing_key_box=secrets.seal_routing_key(settings.routing_key, *ids))
        if settings.asymmetric is not before.asymmetric:
            secret = self.endpoints.secret(before)
            box, public_key = secrets.new_keys(secret, *ids, asymmetric=settings.asymmetric)
            after = replace(after, secret_box=box, public_key=public_key)
        sets, removes = changed_attributes(before, after)
        if settings.enabled and not before.enabled:
            removes += HEALTH
        elif before.enabled and not settings.enabled:
            sets |= {"disabled_reason": DisabledReason.REQUEST.value, "disabled_at": to_rfc3339(deployment.clock())}
        return sets, removes
