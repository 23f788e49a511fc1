"""List a project's submissions, newest first, in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.items import Value, key, to_item
from functions.aws.dynamodb.page import Page, query_page
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC
from functions.submissions.rows import SUBMISSION_SK, created_key, decode_submission, submission_pk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.submissions.model import Submission

INDEX = "by_project"
_ITEMS_PER_QUERY = 500


class SubmissionList(Table):
    """The `by_project` index, updated about a second after the table."""

    def page(
        self, project_id: str, *, limit: int, after: str | None = None, filters: Mapping[str, str] | None = None
    ) -> Page[Submission]:
        """Return at most `limit` rows after the `created_key` `after`.

        `filters`: attribute -> value. A page of a rare value may be short, see `query_page`.
        """
        request = self._request(project_id, filters or {})
        if after is not None:
            request["ExclusiveStartKey"] = _start_key(project_id, after)
        return query_page(self._client, request, limit, decode_submission, _created_key)

    def _request(self, project_id: str, filters: Mapping[str, str]) -> dict[str, Any]:
        names = {"#ttl": "ttl"} | {f"#{name}": name for name in filters}
        values: dict[str, Value | None] = {":project": project_id, ":now": self._clock() // MS_PER_SEC}
        values |= {f":{name}": value for name, value in filters.items()}
        return {
            "TableName": self.table_name,
            "IndexName": INDEX,
            "KeyConditionExpression": "project_id = :project",
            "FilterExpression": " AND ".join(["#ttl > :now"] + [f"#{name} = :{name}" for name in filters]),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": to_item(values),
            "ScanIndexForward": False,
            "Limit": _ITEMS_PER_QUERY,
        }


def _created_key(row: Submission) -> str:
    return created_key(row.created_at, row.submission_id)


def _start_key(project_id: str, after: str) -> dict[str, Any]:
    """Return the start key of the index, always in the caller's own project."""
    submission_id = after.partition("#")[2]
    return to_item({"project_id": project_id, "created_key": after}) | key(submission_pk(submission_id), SUBMISSION_SK)
