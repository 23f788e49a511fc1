"""One route of the API: a row of the table in the `api.py` of a part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.event_handler import Response

    from functions.http.openapi.operation import Answer, Schema
    from functions.http.resolver import Resolver


type Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
type Wait = Literal["never", "if_asked", "by_default"]
"""Whether a request may wait: if its query has `wait`, or unless its query has `wait=false`."""


class Route[Part](NamedTuple):
    """One method of one path: who serves it, and what the OpenAPI document says about it.

    `serve`: a method of the part. It gets the resolver, and the values of the path's variables in their order.
    `request`: the schema of the body, or its media type. `security`: the required key, or None.
    `examples`: those of the request.

    The gateway of one machine asks for the last fields. On AWS the function itself sees to the same.
    `waits`: such a request holds a thread for waits. `read_max_bytes`: a larger body stays unread, and the function
    sees an empty one; None: the gateway's own limit. `has_secret`: the path after its first variable is a secret, which
    no log has. `is_health`: served by threads and connections of its own, whatever the load.
    A NamedTuple, because handlers import it at their cold start: a dataclass takes five times as long to define.
    """

    method: Method
    path: str
    serve: Callable[Concatenate[Part, Resolver, ...], Response[Any]]
    operation_id: str
    summary: str
    answers: dict[int, Answer]
    parameters: tuple[dict[str, Any], ...] = ()
    request: Schema | str | None = None
    examples: dict[str, Any] | None = None
    body_required: bool = True
    security: Literal["ApiKey", "AdminKey", "Signature"] | None = "ApiKey"
    waits: Wait = "never"
    read_max_bytes: int | None = None
    has_secret: bool = False
    is_health: bool = False

    @property
    def key(self) -> str:
        """The name of the route in logs."""
        return f"{self.method} {self.path}"
