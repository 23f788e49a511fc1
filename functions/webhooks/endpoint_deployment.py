"""The stores of endpoints: their settings, subscriptions, deletions and secrets."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.files.deployment import FileDeployment

if TYPE_CHECKING:
    from functions.webhooks.deliveries.store import Deletions
    from functions.webhooks.endpoints.changes import EndpointChanges
    from functions.webhooks.endpoints.store import EndpointStore, SubscriberCache
    from functions.webhooks.target.secret_box import SecretBoxes
    from functions.webhooks.target.webhook_url import AddressRules


class EndpointDeployment(FileDeployment):
    """The stores of endpoints."""

    @cached_property
    def endpoints(self) -> EndpointStore:
        """Endpoints of projects."""
        from functions.webhooks.endpoints.store import EndpointStore

        return EndpointStore(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def subscribers(self) -> SubscriberCache:
        """The endpoints that subscribe to the events of a project, kept for a moment."""
        from functions.webhooks.endpoints.store import SubscriberCache

        return SubscriberCache(self.endpoints, self.clock)

    @cached_property
    def endpoint_changes(self) -> EndpointChanges:
        """Changes of endpoints."""
        from functions.webhooks.endpoints.changes import EndpointChanges
        from functions.webhooks.sending.lanes import resume_lane

        settings = self.settings
        return EndpointChanges(settings.deliveries_table, settings.quotas_table, self.dynamodb, resume_lane, self.clock)

    @cached_property
    def endpoint_deletions(self) -> Deletions:
        """Deletions of endpoints, whose open deliveries are cancelled."""
        from functions.webhooks.deliveries.store import Deletions

        return Deletions(self.settings.deliveries_table, self.dynamodb, self.clock)

    def address_rules(self, request_host: str | None) -> AddressRules:
        """Return the rules for the URLs of a request: no webhook may call its host, or our own."""
        from functions.webhooks.target.webhook_url import AddressRules

        hosts = (request_host or "", self.settings.own_host)
        return AddressRules(self.settings.allow_insecure_webhook_targets, tuple(host for host in hosts if host))

    @cached_property
    def secret_boxes(self) -> SecretBoxes:
        """Secrets at rest."""
        from functions.aws.clients import Clients
        from functions.webhooks.target.secret_box import SecretBoxes

        return SecretBoxes(self.settings.endpoint_secrets_key_id, Clients.kms, self.clock)
