"""The stores of projects, keys and quotas."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.aws.deployment import Deployment

if TYPE_CHECKING:
    from functions.projects.authentication import AdminGate
    from functions.projects.quota_store import QuotaStore
    from functions.projects.registry import ProjectRegistry
    from functions.projects.store import KeyStore, ProjectStore


class ProjectDeployment(Deployment):
    """The stores of projects, keys and quotas."""

    @cached_property
    def admin_gate(self) -> AdminGate:
        """The check of the administrator's key."""
        from functions.aws.secrets import secret
        from functions.projects.authentication import AdminGate

        return AdminGate(self.settings.admin_key_parameter, self.settings.stage, secret, self.log)

    @cached_property
    def projects(self) -> ProjectStore:
        """Projects by their keys."""
        from functions.projects.store import ProjectStore

        return ProjectStore(self.settings.projects_table, self.dynamodb, self.clock)

    @cached_property
    def registry(self) -> ProjectRegistry:
        """Projects as the administrator sees them."""
        from functions.projects.registry import ProjectRegistry

        return ProjectRegistry(self.settings.projects_table, self.dynamodb, self.clock)

    @cached_property
    def keys(self) -> KeyStore:
        """API keys."""
        from functions.projects.store import KeyStore

        return KeyStore(self.settings.projects_table, self.dynamodb, self.clock)

    @cached_property
    def quotas(self) -> QuotaStore:
        """Quotas and their use."""
        from functions.projects.quota_store import QuotaStore

        return QuotaStore(self.settings.quotas_table, self.dynamodb, self.clock)
