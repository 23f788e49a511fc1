"""Rules for changes of triggers, which keep chains of checks free of loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.checks.settings.triggers import CheckTrigger, chain_problem
from functions.errors import ConflictError, FieldProblem, InvalidFieldsError

if TYPE_CHECKING:
    from functions.checks.settings.check_settings import CheckSettings
    from functions.checks.settings.model import Check
    from functions.checks.settings.store import CheckStore
    from functions.checks.settings.trigger_store import TriggerStore


@dataclass(frozen=True, slots=True)
class TriggerRules:
    """Rules for changes of triggers. `has_bus`: without a bus, ended submissions start no checks."""

    store: CheckStore
    triggers: TriggerStore
    has_bus: bool

    def check_trigger(self, check_id: str, project_id: str, settings: CheckSettings) -> None:
        """Raise InvalidFieldsError for a trigger that cannot work, or that closes a loop."""
        problem = self._problem(check_id, project_id, settings)
        if problem is not None:
            raise InvalidFieldsError((problem,))

    def _problem(self, check_id: str, project_id: str, settings: CheckSettings) -> FieldProblem | None:
        trigger, slug = settings.trigger, settings.slug or ""
        if trigger is None:
            return None
        if not isinstance(trigger, CheckTrigger):
            text = "This deployment puts no events on its bus (UseEventBus), so submissions start no check."
            return None if self.has_bus else FieldProblem("trigger.type", text)
        if trigger.slug != slug and self.store.id_of_slug(project_id, trigger.slug) is None:
            text = f"The project has no check {trigger.slug}. Create it first."
            return FieldProblem("trigger.slug", text)
        others = [each for each in self.triggers.followers(project_id) if each.check_id != check_id]
        text = chain_problem(others, slug, trigger.slug) or ""
        return FieldProblem("trigger.slug", text) if text else None

    def refuse_if_followed(self, check: Check) -> None:
        """Raise ConflictError if other checks follow a check that loses its slug."""
        slug = check.settings.slug
        names = sorted(each.slug for each in self.triggers.followers(check.project_id) if each.source == slug)
        if names:
            raise ConflictError(f"These checks follow {slug}: {', '.join(names[:5])}. Change their triggers first.")
