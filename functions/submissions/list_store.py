"""List a project's submissions, newest first, in pages.

The index `by_project_shard` has LIST_SHARDS partitions for each project. A page reads all of them and merges.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.items import Value, to_item
from functions.aws.dynamodb.page import Page, query_page
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC
from functions.submissions.rows import LIST_SHARDS, created_key, decode_submission, list_shard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.submissions.model import Submission

_ITEMS_PER_FILTERED_QUERY = 500
_SORT_KEY = "list_key"


class SubmissionList(Table):
    """The indexes with a project's submissions, updated about a second after the table."""

    def page(
        self, project_id: str, *, limit: int, after: str | None = None, filters: Mapping[str, str] | None = None
    ) -> Page[Submission]:
        """Return at most `limit` rows after the `created_key` `after`.

        `filters`: attribute -> value. A page of a rare value may be short, see `query_page`.
        """

        def read(number: int) -> Page[Submission]:
            request = self._request(list_shard(project_id, number), limit, after, filters or {})
            return query_page(self._client, request, limit, decode_submission, _created_key, _SORT_KEY)

        with ThreadPoolExecutor(LIST_SHARDS) as pool:
            return merge(list(pool.map(read, range(LIST_SHARDS))), limit)

    def _request(self, shard: str, limit: int, after: str | None, filters: Mapping[str, str]) -> dict[str, Any]:
        names = {"#shard": "list_shard", "#ttl": "ttl"} | {f"#{name}": name for name in filters}
        values: dict[str, Value | None] = {":shard": shard, ":now": self._clock() // MS_PER_SEC}
        values |= {f":{name}": value for name, value in filters.items()}
        condition = "#shard = :shard"
        if after is not None:
            names["#sort"], values[":after"] = _SORT_KEY, after
            condition += " AND #sort < :after"
        return {
            "TableName": self.table_name,
            "IndexName": "by_project_shard",
            "KeyConditionExpression": condition,
            "FilterExpression": " AND ".join(["#ttl > :now"] + [f"#{name} = :{name}" for name in filters]),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": to_item(values),
            "ScanIndexForward": False,
            "Limit": _ITEMS_PER_FILTERED_QUERY if filters else limit + 1,
        }


def merge(pages: Sequence[Page[Submission]], limit: int) -> Page[Submission]:
    """Merge the pages of all partitions, newest first.

    A partition whose page is unfinished may have rows after the end of that page. So no older row is shown.
    """
    horizon = max((page.next_created_key for page in pages if page.next_created_key is not None), default=None)
    rows = sorted((row for page in pages for row in page.rows), key=_created_key, reverse=True)
    sure = tuple(row for row in rows if horizon is None or _created_key(row) >= horizon)
    if len(sure) > limit:
        return Page(sure[:limit], _created_key(sure[limit - 1]))
    return Page(sure, horizon)


def _created_key(row: Submission) -> str:
    return created_key(row.created_at, row.submission_id)
