"""List a project's submissions, newest first, in pages.

The index `by_project_shard` has LIST_SHARDS partitions for each project. A page reads all of them and merges.
"""

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from functions.aws.dynamodb.items import Value, to_item
from functions.aws.dynamodb.table import Page, Table, bounds, merge, query_page
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.submissions.model import FINAL_STATUSES, LONGEST_RUN_MS, PENDING_MAX_MS, Kind, Submission
from functions.submissions.store import JUDGE_SUMMARY_START, LIST_SHARDS, created_key, list_shard, submission_of

_ITEMS_PER_FILTERED_QUERY = 500
_SORT_KEY = "list_key"
_LONGEST_MS = PENDING_MAX_MS + 2 * LONGEST_RUN_MS
"""From the creation of a run to its end: a lost one is repeated once."""


class SubmissionList(Table):
    """The indexes with a project's submissions, updated about a second after the table."""

    table_setting = "submissions_table"

    def page(
        self,
        project_id: str,
        *,
        limit: int,
        after: str | None = None,
        filters: Mapping[str, str] | None = None,
        kind: Kind | None = None,
    ) -> Page[Submission]:
        """Return at most `limit` rows after the `created_key` `after`.

        `filters`: attribute -> value. A page of a rare value may be short, see `query_page`.
        """
        values = dict(filters or {})
        conditions = [f"#{name} = :{name}" for name in values]
        if kind is not None:
            is_judge_run = "begins_with(#summary, :judge)"
            conditions.append(is_judge_run if kind is Kind.JUDGE else f"NOT {is_judge_run}")
            values["judge"] = JUDGE_SUMMARY_START
        return self._merged(
            project_id,
            limit,
            lambda shard: self._request(shard, limit, bounds(after, None, ascending=False), conditions, values),
        )

    def finals(
        self, project_id: str, *, limit: int, after: str | None, since_ms: int | None, ascending: bool
    ) -> Page[Submission]:
        """Return a page of final submissions, by `created_key`, that ended since `since_ms`."""
        conditions = ["#status IN (:completed, :error)"]
        values: dict[str, Value | None] = {status.value: status.value for status in FINAL_STATUSES}
        first = None
        if since_ms is not None:
            conditions.append("#completed_at >= :since")
            values["since"] = to_rfc3339(since_ms)
            first = to_rfc3339(since_ms - _LONGEST_MS)
        between = bounds(after, first, ascending=ascending)
        return self._merged(
            project_id,
            limit,
            lambda shard: self._request(shard, limit, between, conditions, values) | {"ScanIndexForward": ascending},
            ascending=ascending,
        )

    def _merged(
        self, project_id: str, limit: int, request_of: Callable[[str], dict[str, Any]], *, ascending: bool = False
    ) -> Page[Submission]:
        def read(number: int) -> Page[Submission]:
            request = request_of(list_shard(project_id, number))
            return query_page(self._client, request, limit, submission_of, list_position, _SORT_KEY)

        with ThreadPoolExecutor(LIST_SHARDS) as pool:
            return merge(list(pool.map(read, range(LIST_SHARDS))), limit, list_position, ascending=ascending)

    def _request(
        self,
        shard: str,
        limit: int,
        between: tuple[str, str],
        conditions: list[str],
        filters: Mapping[str, Value | None],
    ) -> dict[str, Any]:
        condition = " AND ".join(["#ttl > :now", *conditions])
        values: dict[str, Value | None] = {":shard": shard, ":now": self._clock() // MS_PER_SEC}
        values |= {":first": between[0], ":last": between[1]} | {f":{name}": value for name, value in filters.items()}
        return {
            "TableName": self.table_name,
            "IndexName": "by_project_shard",
            "KeyConditionExpression": "#list_shard = :shard AND #list_key BETWEEN :first AND :last",
            "FilterExpression": condition,
            "ExpressionAttributeNames": {
                f"#{name}": name for name in ("list_shard", _SORT_KEY, *re.findall(r"#(\w+)", condition))
            },
            "ExpressionAttributeValues": to_item(values),
            "ScanIndexForward": False,
            "Limit": _ITEMS_PER_FILTERED_QUERY if filters else limit + 1,
        }


def list_position(row: Submission) -> str:
    """Return the place of a submission in the list."""
    return created_key(row.created_at, row.submission_id)
