"""List a project's submissions, newest first, in pages, and search them.

The index `by_project_shard` has LIST_SHARDS partitions for each project. A page reads all of them and merges.
"""

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from functions.aws.dynamodb.items import Value, to_item
from functions.aws.dynamodb.table import Page, Table, bounds, cut, merge, query_page
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.submissions.model import FINAL_STATUSES, LONGEST_RUN_MS, PENDING_MAX_MS, Kind, Submission
from functions.submissions.store import JUDGE_SUMMARY_START, LIST_SHARDS, created_key, list_shard, submission_of

_ITEMS_PER_FILTERED_QUERY = 100
"""With five queries of each shard at most, a page of a rare value reads 4,000 submissions."""
_SORT_KEY = "list_key"
_LONGEST_MS = PENDING_MAX_MS + 2 * LONGEST_RUN_MS
"""From the creation of a run to its end: a lost one is repeated once."""


SEARCHED_MAX = 1_000
"""A search reads at most so many submissions for one page."""
_SEARCHED_OF_SHARD = 200
"""Ids are random, so the newest 1,000 lie evenly: a shard has 125, and more than 200 once in a billion."""


@dataclass(frozen=True, slots=True)
class ListFilter:
    """What a list shows. `equal`: attribute -> value. Times of creation are RFC 3339, the second one exclusive.

    `metadata`: a name and its value. `text`: in lower case, part of the id, the line or the metadata.
    """

    equal: Mapping[str, str] = field(default_factory=dict)
    kind: Kind | None = None
    since: str | None = None
    until: str | None = None
    metadata: tuple[str, str] | None = None
    text: str | None = None

    @property
    def has_filter(self) -> bool:
        """Whether rows are read that are not shown."""
        return bool(self.equal) or self.kind is not None or self.metadata is not None or self.text is not None

    def has_text(self, row: Submission) -> bool:
        texts = (row.submission_id, row.line or "", *row.metadata.keys(), *row.metadata.values())
        return any((self.text or "") in text.casefold() for text in texts)


_ALL = ListFilter()


class SubmissionList(Table):
    """The indexes with a project's submissions, updated about a second after the table."""

    table_setting = "submissions_table"

    def page(
        self, project_id: str, *, limit: int, after: str | None = None, only: ListFilter = _ALL
    ) -> Page[Submission]:
        """Return at most `limit` rows after the `created_key` `after`. A page of a rare value may be short."""
        return self._merged(project_id, limit, self._newest_first(limit, after, only))

    def search(
        self, project_id: str, *, limit: int, after: str | None, only: ListFilter
    ) -> tuple[Page[Submission], int]:
        """Return those of the next SEARCHED_MAX rows that have the text, and how many rows were read.

        The next page goes on behind the last row that was read, or shown.
        """
        request_of = self._newest_first(_SEARCHED_OF_SHARD, after, only)
        read = self._merged(project_id, SEARCHED_MAX, request_of, _SEARCHED_OF_SHARD)
        found = [row for row in read.rows if only.has_text(row)]
        page = cut(found, limit, list_position)
        return (page if len(found) > limit else Page(tuple(found), read.next_created_key)), len(read.rows)

    def _newest_first(self, limit: int, after: str | None, only: ListFilter) -> Callable[[str], dict[str, Any]]:
        values: dict[str, Value | None] = dict(only.equal)
        conditions, names = [f"#{name} = :{name}" for name in values], dict[str, str]()
        if only.kind is not None:
            is_judge_run = "begins_with(#summary, :judge)"
            conditions.append(is_judge_run if only.kind is Kind.JUDGE else f"NOT {is_judge_run}")
            values["judge"] = JUDGE_SUMMARY_START
        if only.metadata is not None:
            names["#wanted"], values["wanted"] = only.metadata
            conditions.append("#metadata.#wanted = :wanted")
        first, last = bounds(after, only.since, ascending=False)
        between = (first, last if only.until is None else max(first, min(last, only.until)))
        return lambda shard: self._request(shard, limit, between, conditions, values, names)

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
        self,
        project_id: str,
        limit: int,
        request_of: Callable[[str], dict[str, Any]],
        of_shard: int | None = None,
        *,
        ascending: bool = False,
    ) -> Page[Submission]:
        """Return a page. `of_shard`: how many rows are read of each shard at least, if it has them."""

        def read(number: int) -> Page[Submission]:
            request = request_of(list_shard(project_id, number))
            return query_page(self._client, request, of_shard or limit, submission_of, list_position, _SORT_KEY)

        with ThreadPoolExecutor(LIST_SHARDS) as pool:
            return merge(list(pool.map(read, range(LIST_SHARDS))), limit, list_position, ascending=ascending)

    def _request(
        self,
        shard: str,
        limit: int,
        between: tuple[str, str],
        conditions: list[str],
        filters: Mapping[str, Value | None],
        names: Mapping[str, str] | None = None,
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
            }
            | dict(names or {}),
            "ExpressionAttributeValues": to_item(values),
            "ScanIndexForward": False,
            "Limit": _ITEMS_PER_FILTERED_QUERY if filters else limit + 1,
        }


def list_position(row: Submission) -> str:
    """Return the place of a submission in the list."""
    return created_key(row.created_at, row.submission_id)
