"""Pages of lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

_QUERIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Page[Row]:
    """One page of rows. `next_created_key`: the position of the next page; None after the last."""

    rows: tuple[Row, ...]
    next_created_key: str | None


def cut[Row](found: Sequence[Row], limit: int, created_key: Callable[[Row], str]) -> Page[Row]:
    """Return the first `limit` rows as a page. There is a next page if more rows were found."""
    kept = tuple(found[:limit])
    return Page(kept, created_key(kept[-1]) if len(found) > limit else None)


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
        found += [decode(item) for item in answer["Items"]]
        start = answer.get("LastEvaluatedKey")
        if start is None or len(found) > limit:
            return cut(found, limit, created_key)
        request["ExclusiveStartKey"] = start
    return Page(tuple(found), start[sort_key]["S"])
