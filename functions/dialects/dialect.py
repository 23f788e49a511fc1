"""One protocol of another service, as an adapter describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aws_lambda_powertools.event_handler import Response

    from functions.dialects.routes import DialectRoutes
    from functions.http.route import Method


class Dialect(NamedTuple):
    """One protocol. All its paths are `/<name>` or below.

    `key_header`: its own header for the API key, in lower case. X-API-Key and `Authorization: Bearer` work as well.
    `error`: turns our status and error body into those of the protocol.
    `part`: its routes for one request. `routes`: method and path of HTTP, and the method of the part that answers.
    """

    name: str
    key_header: str
    error: Callable[[int, Mapping[str, Any]], tuple[int, Any]]
    part: type[DialectRoutes]
    routes: Sequence[tuple[Method, str, Callable[..., Response[str]]]]
