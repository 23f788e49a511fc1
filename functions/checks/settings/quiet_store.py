"""The quiet times of tags: one row of a project."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.row_codec import to_json
from functions.aws.dynamodb.table import Table
from functions.checks import keys
from functions.checks.settings.quiet_times import TagQuietTimes

if TYPE_CHECKING:
    from functions.checks.settings.model import Check
    from functions.checks.state import Rules


class QuietStore(Table):
    """Reads and writes the quiet times of tags."""

    def get(self, project_id: str) -> TagQuietTimes:
        """Return the quiet times of a project's tags."""
        row = self._get(keys.quiet_key(project_id))
        return TagQuietTimes.model_validate({"tags": {} if row is None else json.loads(row["tags"])}, extra="ignore")

    def put(self, project_id: str, times: TagQuietTimes) -> None:
        """Replace them."""
        item = to_item({"tags": to_json(times.model_dump(mode="json")["tags"])})
        self._client.put_item(TableName=self.table_name, Item={**keys.quiet_key(project_id), **item})

    def delete(self, project_id: str) -> None:
        """Delete them."""
        self._client.delete_item(TableName=self.table_name, Key=keys.quiet_key(project_id))

    def rules(self, check: Check) -> Rules:
        """Return the rules of a check, with the quiet times of its tags."""
        rules, tags = check.rules, check.settings.tags
        if not tags:
            return rules
        by_tag = self.get(check.project_id).tags
        of_tags = tuple(quiet.time for tag in tags for quiet in by_tag.get(tag, ()))
        return replace(rules, quiet=(*rules.quiet, *of_tags))
