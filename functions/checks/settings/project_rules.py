"""Rules of settings that depend on the project, on webhook addresses, and on what the check has already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.checks.settings.report_tokens import report_problems
from functions.checks.settings.variables import kept_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.checks.settings.check_settings import CheckSettings
    from functions.checks.settings.model import Check
    from functions.errors import FieldProblem
    from functions.projects.model import Project
    from functions.webhooks.target.address_rules import AddressRules


@dataclass(frozen=True, slots=True)
class ProjectRules:
    """The rules. `before`: the check that is changed."""

    project: Project
    addresses: AddressRules
    before: Check | None = None

    def problems(self, settings: CheckSettings) -> Iterator[FieldProblem]:
        """Yield what breaks them."""
        old = None if self.before is None else self.before.settings
        yield from report_problems(settings, old, self.addresses)
        yield from kept_problems(settings.env, () if self.before is None else self.before.env_boxes)
        if old is None or settings.network != old.network:
            yield from self.project.network_refusals(settings.allowed_hosts)
