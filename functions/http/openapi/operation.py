"""The parts of an OpenAPI operation, and answers that all operations share."""

from typing import Any, NamedTuple, TypeAliasType

from functions.http.openapi.bodies import Error, GatewayError, InvalidError
from functions.http.parameters import IDEMPOTENCY_KEY_MAX_CHARS, PAGE_DEFAULT, PAGE_MAX

type Schema = type[Any] | TypeAliasType
"""The shape of a body: a `TypedDict` or a `type` that a view returns, or a pydantic model, which a request is."""
type Answer = tuple[str, tuple[Schema | str, ...]]
"""Description, and the schemas of the JSON body, or the media types of other bodies."""


type Responses = dict[str, dict[str, Any]]


class Webhook(NamedTuple):
    """One webhook event. `responses`: the effect of each answer of the receiver."""

    operation_id: str
    summary: str
    description: str
    model: Schema
    responses: Responses


def query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """Describe an optional query parameter."""
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def path(name: str, schema: dict[str, Any], description: str | None = None) -> dict[str, Any]:
    """Describe a part of the path."""
    described = {} if description is None else {"description": description}
    return {"name": name, "in": "path", "required": True, "schema": schema, **described}


PAGE = (
    query("limit", {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT}, "Page size."),
    query("cursor", {"type": "string", "minLength": 1}, "next_cursor of the page before."),
)
IDEMPOTENCY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_MAX_CHARS},
}
TRACEPARENT_HEADER = {
    "name": "traceparent",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 55},
    "description": "The client's trace (W3C Trace Context). The webhooks of the run carry it.",
}
ID = path("id", {"type": "string", "format": "uuid"})
PROJECT_ID = path("id", {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,64}$"}, "The project's id.")
BAD: Answer = ("`bad_request`: a parameter is wrong.", (Error,))
THROTTLED: Answer = ("The gateway: too many requests to this deployment.", (GatewayError,))
LIMITED: Answer = (
    "`rate_limited`: a limit of the project is used up. The gateway: too many requests to this deployment.",
    (Error, GatewayError),
)
FAILED: Answer = ("`internal`: a fault of ours; quote x-request-id.", (Error,))
_BUSY: Answer = ("`unavailable`: a part of the service is busy. Retry-After says when to repeat.", (Error,))
_UNAUTHORIZED: Answer = ("`unauthorized`: the key is missing, unknown, revoked or expired.", (Error,))
NOT_JSON: Answer = ("`unsupported_media_type`: the body is not application/json.", (Error,))
NO_RESPONSE: Answer = ("The gateway: no response within 30 s.", (GatewayError,))
NO_ADMIN_KEY: Answer = ("`unauthorized`: the administrator's key is missing or wrong.", (Error,))
OPEN: dict[int, Answer] = {429: THROTTLED, 500: FAILED, 503: _BUSY}
KEYED: dict[int, Answer] = {401: _UNAUTHORIZED, **OPEN}
TAKES_BODY: dict[int, Answer] = {
    413: ("`too_large`: the body is over 1 MiB. Over 6 MB the gateway refuses it.", (Error, GatewayError)),
    415: NOT_JSON,
    422: ("`invalid`: fields are missing or have invalid values.", (InvalidError,)),
    **KEYED,
}
