"""The triggers of a project, each in a row of its own, and the rules that keep chains of checks free of loops.

A partition of their own lets a role read nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from functions.aws.dynamodb.conditional import delete, put
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.row_codec import to_json
from functions.aws.dynamodb.table import Table
from functions.checks import keys
from functions.checks.settings.triggers import TRIGGER, CheckTrigger, Follower, chain_problem
from functions.errors import ConflictError, FieldProblem, InvalidFieldsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.checks.settings.check_settings import CheckSettings
    from functions.checks.settings.model import Check
    from functions.checks.settings.store import CheckStore


class TriggerStore(Table):
    """Reads triggers. Each is written in the transaction that writes its check."""

    table_setting = "checks_table"

    def followers(self, project_id: str) -> list[Follower]:
        """Return the checks of a project that have a trigger."""
        followers = map(_follower, self._list(keys.triggers_pk(project_id)))
        return [follower for follower in followers if follower is not None]


def _follower(row: Mapping[str, Any]) -> Follower | None:
    """Read a row; None for a trigger of a newer revision, so that the others still start runs."""
    try:
        return Follower(row["sk"], row["slug"], TRIGGER.validate_json(row["trigger"], extra="ignore"))
    except ValidationError:
        return None


def trigger_action(table_name: str, check: Check) -> Any:
    """Return the action that writes or deletes the trigger of a check."""
    row_key, trigger = keys.trigger_key(check.project_id, check.check_id), check.settings.trigger
    if trigger is None:
        return delete(table_name, row_key)
    row = {"slug": check.settings.slug, "trigger": to_json(trigger.model_dump(mode="json"))}
    return put(table_name, {**row_key, **to_item(row)})


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
