"""The triggers of a project, each in a row of its own. A partition of their own lets a role read nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from functions.aws.dynamodb.conditional import delete, put
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.row_codec import to_json
from functions.aws.dynamodb.table import Table
from functions.checks import keys
from functions.checks.settings.triggers import TRIGGER, Follower

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.checks.settings.model import Check


class TriggerStore(Table):
    """Reads triggers. Each is written in the transaction that writes its check."""

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
