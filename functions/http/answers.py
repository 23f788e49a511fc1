"""JSON answers of routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from functions.http.cursor import write_cursor
from functions.http.json_body import body_text, count_fitting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from functions.aws.dynamodb.page import Page

JSON_TYPE = "application/json"


def answer(body: Mapping[str, object] | Sequence[Any], status: int = 200) -> Response[str]:
    """Build a JSON answer."""
    return Response(status_code=status, content_type=JSON_TYPE, body=body_text(body))


def page_answer[Item](
    owner: str, page: Page[Item], body_of: Callable[[Item], Mapping[str, object]], created_key: Callable[[Item], str]
) -> Response[str]:
    """Build one page of a list. It ends early where its bodies are too large for a response.

    `owner`: that of its cursor. `created_key`: the position of an item.
    """
    bodies, after = list(map(body_of, page.rows)), page.next_created_key
    count = count_fitting(map(body_text, bodies))
    if count < len(bodies):
        after = created_key(page.rows[count - 1])
    return answer({"items": bodies[:count], "next_cursor": write_cursor(owner, after) if after else None})
