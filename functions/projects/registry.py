"""Read, list and change projects for the administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import Value, key, to_item
from functions.aws.dynamodb.row_codec import changes, write
from functions.aws.dynamodb.table import Page, Table, read_rows
from functions.clock import to_rfc3339
from functions.projects.store import LIST_PK, project_key, to_project_record

if TYPE_CHECKING:
    from functions.projects.model import Project, ProjectRecord


class ProjectRegistry(Table):
    """The projects of the projects table. Reads are consistent."""

    table_setting = "projects_table"

    def get(self, project_id: str) -> ProjectRecord | None:
        """Return one project, disabled or not."""
        row = self._get(project_key(project_id))
        return to_project_record(row) if row is not None else None

    def page(self, limit: int, after: str | None = None) -> Page[ProjectRecord]:
        """Return at most `limit` projects after the list position `after`, newest first."""
        request: dict[str, Any] = {
            "TableName": self.table_name,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": to_item({":pk": LIST_PK}),
            "ScanIndexForward": False,
            "ConsistentRead": True,
            "Limit": limit + 1,  # one more shows whether there is a next page; a row of this list has about 100 bytes
        }
        if after is not None:
            request["ExclusiveStartKey"] = key(LIST_PK, after)
        positions = [item["sk"]["S"] for item in self._client.query(**request)["Items"]]
        ids = [position.partition("#")[2] for position in positions[:limit]]
        rows = read_rows(self._client, self.table_name, [project_key(project_id) for project_id in ids])
        found = {record.project.project_id: record for record in map(to_project_record, rows)}
        records = tuple(found[project_id] for project_id in ids if project_id in found)
        return Page(records, positions[limit - 1] if len(positions) > limit else None)

    def change(self, before: ProjectRecord, after: Project, *, enabled: bool | None = None) -> ProjectRecord | None:
        """Write the differences. None if the project is gone or its quotas or network have changed since `before`."""
        sets, removes = changes(before.project, after)
        values: dict[str, Value] = {}
        computed: tuple[str, ...] = ()
        condition = "attribute_exists(#pk)"
        if "quotas" in sets:
            # The new quotas derive from the old ones: two concurrent changes must not undo each other.
            condition += " AND (#quotas = :quotas_before OR attribute_not_exists(#quotas))"
            values["quotas_before"] = write(before.project)["quotas"]
        if "network" in sets or "network" in removes:  # likewise: a late change must not allow again what was taken
            network = write(before.project).get("network")
            condition += " AND " + (
                "attribute_not_exists(#network)" if network is None else "#network = :network_before"
            )
            values |= {} if network is None else {"network_before": network}
        if enabled is False:
            computed = ("#disabled_at = if_not_exists(#disabled_at, :now)",)
            values["now"] = to_rfc3339(self._clock())
        if enabled:
            removes += ("disabled_at",)
        if not (sets or computed or removes):
            return before
        update = ConditionalUpdate(sets, condition, values, removes, computed)
        row = self._update(update, project_key(before.project.project_id))
        return to_project_record(row) if row is not None else None


def list_position(record: ProjectRecord) -> str:
    """Return the place of a project in the list."""
    return f"{record.created_at}#{record.project.project_id}"
