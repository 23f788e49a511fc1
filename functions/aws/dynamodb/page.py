"""Pages of lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.items import from_item

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

_QUERIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Page[Row]:
    """One page of rows. `next_created_key`: the position of the next page; None after the last."""

    rows: tuple[Row, ...]
    next_created_key: str | None


def cut[Row](
    found: Sequence[Row], limit: int, created_key: Callable[[Row], str], after: str | None = None
) -> Page[Row]:
    """Return the first `limit` rows as a page. There is a next page if more rows were found.

    Give `after` only with all rows, newest first: the page then has the rows behind that key.
    """
    if after is not None:
        found = [row for row in found if created_key(row) < after]
    kept = tuple(found[:limit])
    return Page(kept, created_key(kept[-1]) if len(found) > limit else None)


def merge[Row](
    pages: Sequence[Page[Row]], limit: int, created_key: Callable[[Row], str], *, ascending: bool = False
) -> Page[Row]:
    """Merge the pages of several partitions into one, newest first, or oldest first if `ascending`.

    A partition whose page is unfinished may have rows after the end of that page. So no later row is shown.
    """
    nearest = min if ascending else max
    horizon = nearest((page.next_created_key for page in pages if page.next_created_key is not None), default=None)
    rows = sorted((row for page in pages for row in page.rows), key=created_key, reverse=not ascending)
    sure = [row for row in rows if horizon is None or nearest(created_key(row), horizon) == created_key(row)]
    if len(sure) > limit:
        return cut(sure, limit, created_key)
    return Page(tuple(sure), horizon)


def bounds(after: str | None, since: str | None, *, ascending: bool) -> tuple[str, str]:
    """Return the first and the last sort key of a page, both inclusive. `after`: the last key of the page before it.

    Keys begin with a year and end with a printable character. No key is the start of another one.
    """
    first, last = since or "0", "~"
    if after is None:
        return first, last
    if ascending:
        return max(first, after + "!"), last
    return first, max(first, after[:-1] + chr(ord(after[-1]) - 1) + "~")


def query_page[Row](
    client: DynamoDBClient,
    request: dict[str, Any],
    limit: int,
    decode: Callable[[Any], Row],
    created_key: Callable[[Row], str],
    sort_key: str = "created_key",
) -> Page[Row]:
    """Query an index, whose sort key attribute is `sort_key`, until a page is full.

    The calls are bounded. So a page of a filter that few items match may be short and still have a next page.
    """
    found: list[Row] = []
    start: Any = None
    for _ in range(_QUERIES_MAX):
        answer = client.query(**request)
        found += [decode(from_item(item)) for item in answer["Items"]]
        start = answer.get("LastEvaluatedKey")
        if start is None or len(found) > limit:
            return cut(found, limit, created_key)
        request["ExclusiveStartKey"] = start
    return Page(tuple(found), start[sort_key]["S"])
