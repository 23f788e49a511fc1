"""Build the OpenAPI 3.1 document from operations and models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from functions import VERSION
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import Answer, Schema, Webhook
from functions.http.resolver import Route
from functions.http.rights import needed

# Tags of the OpenAPI document: which part of the product an operation belongs to.

_TAGS = {
    "Runs": ("Run a program; wait for its result, poll it, list results.", ("submit", "result", "results", "overview")),
    "Files": ("Files for runs, kept by their SHA-256.", ("files",)),
    "Judging": ("One program against many cases, and problems that keep their cases here.", ("judge", "problems")),
    "Checks": (
        "Programs that run on a schedule or on an event.",
        ("checks", "pings", "quiet-times", "status-page", "status", "badges", "schedules", "schemas"),
    ),
    "Events": (
        "Events of a project, and a log to poll them from.",
        ("events", "event-types", "event-consumers", "event-samples"),
    ),
    "Webhooks": (
        "Endpoints that receive events, and the deliveries to them.",
        ("webhooks", "deliveries", "egress-addresses"),
    ),
    "Secrets": ("Values that programs use in requests without seeing them.", ("secrets",)),
    "Projects": ("For the administrator: projects, API keys, quotas. For all: the own key.", ("projects", "key")),
    "Operations": ("For the administrator: trace, redrive, purge.", ("admin",)),
    "Service": (
        "Languages, health, this document, and the console.",
        ("languages", "health", "openapi.json", "llms.txt", "docs", "", "console"),
    ),
}


def tag_of(path: str) -> str:
    """Return the tag of a path. Raises LookupError."""
    words = path.removeprefix("/api").removeprefix("/").split("/")
    for tag, (_, first_words) in _TAGS.items():
        if words[0] in first_words:
            return tag
    raise LookupError(f"no tag has the path {path}")


def described_tags(used: set[str]) -> list[dict[str, str]]:
    """Return the `tags` of the document, in the order of a reader."""
    return [{"name": tag, "description": description} for tag, (description, _) in _TAGS.items() if tag in used]


_REFERENCE = "#/components/schemas/{model}"
_REQUEST_ID = {"description": "Quote it when you report a problem.", "schema": {"type": "string"}}
_RETRY_AFTER = {"description": "Seconds until a repeat makes sense.", "schema": {"type": "integer", "minimum": 1}}
_RATE_LIMIT_HEADERS = {
    "RateLimitLimit": {
        "description": "Runs that the quota allows in its minute or day, whichever has fewer left. An estimate for "
        "a large quota.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimitRemaining": {"description": "How many of them are left.", "schema": {"type": "integer", "minimum": 0}},
    "RateLimitReset": {
        "description": "Seconds until that minute or day is over.",
        "schema": {"type": "integer", "minimum": 1},
    },
}
_RATE_LIMIT_REFERENCES = {
    f"ratelimit-{name}": {"$ref": f"#/components/headers/RateLimit{name.capitalize()}"}
    for name in ("limit", "remaining", "reset")
}
_BYTES = {"type": "string", "format": "binary"}
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_SERVER_ERROR = 500
_ALLOW = {"description": "Methods of this path.", "schema": {"type": "string"}}
_DESCRIPTION = """\
Run untrusted code, and get the result by waiting, by polling or by webhook.

Every answer of the service is JSON (raw output apart) and carries `x-request-id`. Errors are \
`{"error": code, "message": sentence}`. A path that is not listed here answers 404 `not_found`; a listed one with \
another method answers 405 `method_not_allowed` with `Allow`.

Answers of the API gateway itself have the shape `{"message": ...}` and its own `apigw-requestid` header: 413 for a \
body over 10 MB, 414 or 431 for an address or headers over 10 KB, 429 over its rate, 503 or 504 where the function \
gave no answer within 30 s.

Quotas are per project and profile: runs per minute, per day (UTC), and unfinished at a time. A repeat with the same \
Idempotency-Key is free. Every answer to a request with a valid key, those of 500 and above apart, has the remaining \
quota in `ratelimit-limit`, `ratelimit-remaining` and `ratelimit-reset`: of the submission's profile where a run was \
accepted, else of `judge`; at most a second old. An answer `rate_limited` has those of the limit that refused.

An unknown name inside `limits` or `quotas` and a misspelt field are refused; any other unknown field is named in \
`warnings`.
"""


@dataclass(frozen=True, slots=True)
class Links:
    """Operations that a client can call next. `models`: bodies whose `id` those operations take."""

    models: frozenset[Schema]
    operation_ids: tuple[str, ...]

    def of(self, body: tuple[Schema, ...]) -> dict[str, Any]:
        """Return the links of an answer with this body; empty if it has none."""
        if self.models.isdisjoint(body):
            return {}
        return {
            operation_id: {"operationId": operation_id, "parameters": {"id": "$response.body#/id"}}
            for operation_id in self.operation_ids
        }


@dataclass(frozen=True, slots=True)
class Document:
    """The routes and events of all parts. `event_headers`: parameters of every webhook request."""

    operations: Sequence[Route[Any]]
    webhooks: Mapping[str, Webhook]
    event_headers: Sequence[Mapping[str, Any]]
    links: Links

    def build(self) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for operation in self.operations:
            paths.setdefault(operation.path.replace("+}", "}"), {})[operation.method.lower()] = self._operation(
                operation
            )
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Rustbox Serverless",
                "version": VERSION,
                "description": _DESCRIPTION,
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": "/", "description": "Where this document came from."}],
            "tags": described_tags({tag_of(path) for path in paths}),
            "paths": paths,
            "webhooks": {name: {"post": self._webhook(event)} for name, event in self.webhooks.items()},
            "components": {
                "schemas": self._schemas(),
                "securitySchemes": {
                    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                    "AdminKey": {"type": "apiKey", "in": "header", "name": "X-Admin-Key"},
                    "Bearer": {"type": "http", "scheme": "bearer"},
                    "Signature": {"type": "apiKey", "in": "header", "name": "webhook-signature"},
                },
                "headers": {
                    "RequestId": _REQUEST_ID,
                    "RetryAfter": _RETRY_AFTER,
                    "Allow": _ALLOW,
                    **_RATE_LIMIT_HEADERS,
                },
                "responses": {"MethodNotAllowed": self._method_not_allowed()},
            },
        }

    def _operation(self, operation: Route[Any]) -> dict[str, Any]:
        security: list[dict[str, list[str]]] = [{operation.security: []}] if operation.security else []
        if operation.security in {"ApiKey", "AdminKey"}:
            security.append({"Bearer": []})
        described: dict[str, Any] = {
            "operationId": operation.operation_id,
            "tags": [tag_of(operation.path)],
            "summary": operation.summary,
            "parameters": list(operation.parameters),
            "security": security,
            "responses": {
                **{
                    str(status): self._answer(status, answer, keyed=operation.security == "ApiKey")
                    for status, answer in sorted(_with_rights(operation).items())
                },
                "405": {"$ref": "#/components/responses/MethodNotAllowed"},
            },
        }
        if operation.request is not None:
            content = _request_content(operation.request, operation.examples or {})
            described["requestBody"] = {"required": operation.body_required, "content": content}
        return described

    def _answer(self, status: int, answer: Answer, *, keyed: bool = False) -> dict[str, Any]:
        description, body = answer
        options = [_reference(model) for model in models_of(body)]
        content: dict[str, Any] = {media_type: {"schema": _BYTES} for media_type in body if isinstance(media_type, str)}
        if options:
            content["application/json"] = {"schema": options[0] if len(options) == 1 else {"anyOf": options}}
        headers: dict[str, Any] = {"x-request-id": {"$ref": "#/components/headers/RequestId"}}
        if status in {429, 503}:
            headers["retry-after"] = {"$ref": "#/components/headers/RetryAfter"}
        if keyed and status != _UNAUTHORIZED and status < _SERVER_ERROR:
            headers |= _RATE_LIMIT_REFERENCES
        answered: dict[str, Any] = {"description": description, "headers": headers, "content": content}
        if links := self.links.of(models_of(body)):
            answered["links"] = links
        return answered

    def _method_not_allowed(self) -> dict[str, Any]:
        answer = self._answer(405, ("`method_not_allowed`: Allow lists the methods of this path.", (Error,)))
        answer["headers"]["allow"] = {"$ref": "#/components/headers/Allow"}
        return answer

    def _webhook(self, event: Webhook) -> dict[str, Any]:
        return {
            "operationId": event.operation_id,
            "summary": event.summary,
            "description": event.description,
            "parameters": list(self.event_headers),
            "security": [{"Signature": []}],
            "requestBody": {"required": True, "content": {"application/json": {"schema": _reference(event.model)}}},
            "responses": event.responses,
        }

    def _schemas(self) -> dict[str, Any]:
        models: dict[Schema, None] = {Error: None, **{event.model: None for event in self.webhooks.values()}}
        for operation in self.operations:
            if operation.request is not None and not isinstance(operation.request, str):
                models[operation.request] = None
            for _, body in operation.answers.values():
                models |= dict.fromkeys(models_of(body))
        inputs: list[tuple[str, Literal["validation"], TypeAdapter[Any]]]
        inputs = [(model.__name__, "validation", TypeAdapter(model)) for model in models]
        _, definitions = TypeAdapter.json_schemas(inputs, ref_template=_REFERENCE)
        schemas: dict[str, Any] = _without_null_defaults(definitions["$defs"])
        return schemas


def _with_rights(operation: Route[Any]) -> dict[int, Answer]:
    """Return the answers of an operation, with that to a key without a right for it."""
    if not operation.rights:
        return operation.answers
    said, body = operation.answers.get(_FORBIDDEN, ("`forbidden`:", (Error,)))
    also = " Or" if _FORBIDDEN in operation.answers else ""
    return {**operation.answers, _FORBIDDEN: (f"{said}{also} the key lacks the {needed(operation.rights)}.", body)}


def models_of(body: tuple[Schema | str, ...]) -> tuple[Schema, ...]:
    """Return the schemas of an answer's body, without media types."""
    return tuple(model for model in body if not isinstance(model, str))


def _without_null_defaults(part: Any) -> Any:
    """Leave out `default: null`, which makes generators take an optional field for one that is always there."""
    if isinstance(part, dict):
        return {
            name: _without_null_defaults(value)
            for name, value in part.items()
            if not (name == "default" and value is None)
        }
    return [_without_null_defaults(each) for each in part] if isinstance(part, list) else part


def _reference(model: Schema) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _request_content(request: Schema | str, examples: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(request, str):
        return {request: {"schema": _BYTES, "examples": examples}}
    return {"application/json": {"schema": _reference(request), "examples": examples}}
