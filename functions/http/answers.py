"""JSON answers of routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from functions.http.json_body import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.http.json_body import Body

JSON_TYPE = "application/json"


def answer(body: Body | Sequence[Any], status: int = 200) -> Response[str]:
    """Build a JSON answer."""
    return Response(status_code=status, content_type=JSON_TYPE, body=to_json(body))
