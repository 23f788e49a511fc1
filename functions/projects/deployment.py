"""The stores of projects and quotas. It goes when no property of a `Deployment` is used."""

from functools import cached_property

from functions.aws.deployment import Deployment
from functions.projects.quota_store import QuotaStore
from functions.projects.store import ProjectStore


class ProjectDeployment(Deployment):
    """The stores of projects and quotas."""

    @cached_property
    def projects(self) -> ProjectStore:
        """Projects by their keys."""
        return self[ProjectStore]

    @cached_property
    def quotas(self) -> QuotaStore:
        """Quotas and their use."""
        return self[QuotaStore]
