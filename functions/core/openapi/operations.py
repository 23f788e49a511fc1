"""Every operation with its parameters and each status that it can answer."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from functions.core.languages import Language
from functions.core.openapi import bodies
from functions.core.parameters import IDEMPOTENCY_KEY_MAX_CHARS, LONG_POLL_MAX_SECS, PAGE_DEFAULT, PAGE_MAX
from functions.core.request import SubmitRequest
from functions.core.submission import Status
from functions.core.verdict import Verdict

type Answer = tuple[str, tuple[type[BaseModel], ...] | str]
"""Description, and the models of the body (or its media type)."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    path: str
    method: str
    operation_id: str
    summary: str
    answers: dict[int, Answer]
    parameters: tuple[dict[str, Any], ...] = ()
    request: type[BaseModel] | None = None
    keyed: bool = True


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
_RESULT = (bodies.FinalResult, bodies.OpenResult)
_BUSY: Answer = ("`unavailable`: a part of the service is busy. Retry-After says when to repeat.", (bodies.Error,))
_UNAUTHORIZED: Answer = ("`unauthorized`: the key is missing, unknown, revoked or expired.", (bodies.Error,))
_UNKNOWN: Answer = ("`not_found`: no such submission in this project, or past its retention.", (bodies.Error,))
_BAD: Answer = ("`bad_request`: a parameter is wrong.", (bodies.Error,))
_FAILED: Answer = ("`internal`: a fault of ours; quote x-request-id.", (bodies.Error,))
_SLOW: Answer = (
    "The gateway: no answer within 30 s. The submission, if there is one, goes on.",
    (bodies.GatewayError,),
)
_THROTTLED: Answer = ("The gateway: too many requests to this deployment.", (bodies.GatewayError,))
_OPEN: dict[int, Answer] = {429: _THROTTLED, 500: _FAILED, 503: _BUSY}
_KEYED: dict[int, Answer] = {401: _UNAUTHORIZED, **_OPEN}

_SUBMIT = Operation(
    "/api/submit",
    "POST",
    "submit",
    "Run a program once",
    {
        200: ("`wait=true`, or a repeat with the same Idempotency-Key: the run is finished.", (bodies.FinalResult,)),
        202: ("Queued.", (bodies.Accepted,)),
        400: (
            "`bad_request`: broken JSON, a bad `wait`, an unsupported language, code or stdin too large.",
            (bodies.Error,),
        ),
        403: ("`forbidden`: the key may not use this profile.", (bodies.Error,)),
        404: ("`not_found`: the submission was deleted while the request waited for it.", (bodies.Error,)),
        408: ("`wait=true`, and the run is not finished after 28 s. It goes on.", (bodies.WaitOver,)),
        409: ("`idempotency_conflict`: the Idempotency-Key was used with another body.", (bodies.Error,)),
        413: (
            "`too_large`: the body is over 1 MiB. The gateway answers this over 6 MB.",
            (bodies.Error, bodies.GatewayError),
        ),
        415: ("`unsupported_media_type`: the body is not application/json.", (bodies.Error,)),
        422: ("`invalid`: fields are missing, mistyped or over their ceilings.", (bodies.InvalidError,)),
        504: _SLOW,
        **_KEYED,
    },
    (
        _query("wait", {"type": "boolean", "default": False}, "Hold the request for the result, at most 28 s."),
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_MAX_CHARS},
            "description": "Kept 24 h. The same key with the same body is the same submission.",
        },
    ),
    SubmitRequest,
)
_GET_RESULT = Operation(
    "/api/result/{id}",
    "GET",
    "getResult",
    "One submission, in whatever state",
    {200: ("Finished or not.", _RESULT), 400: _BAD, 404: _UNKNOWN, 504: _SLOW, **_KEYED},
    (
        _ID,
        _query(
            "wait",
            {"type": "number", "minimum": 0, "maximum": LONG_POLL_MAX_SECS, "multipleOf": 0.001, "default": 0},
            "Hold the request until it is finished, at most so many seconds.",
        ),
        _query("encoding", {"enum": ["base64"]}, "Exact output, base64-encoded."),
    ),
)
_DELETE_RESULT = Operation(
    "/api/result/{id}",
    "DELETE",
    "deleteResult",
    "Delete code, input and output at once",
    {
        200: ("Gone.", (bodies.Deleted,)),
        400: _BAD,
        404: _UNKNOWN,
        409: ("`conflict`: it is running.", (bodies.Error,)),
        **_KEYED,
    },
    (_ID,),
)
_LIST_RESULTS = Operation(
    "/api/results",
    "GET",
    "listResults",
    "The project's submissions, newest first",
    {200: ("One page.", (bodies.ResultPage,)), 400: _BAD, **_KEYED},
    (
        _query("status", {"enum": list(Status)}, "Only these."),
        _query("verdict", {"enum": list(Verdict)}, "Only these."),
        _query("language", {"enum": list(Language)}, "Only these; aliases are taken too."),
        _query("limit", {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT}, "Page size."),
        _query("cursor", {"type": "string"}, "next_cursor of the page before."),
    ),
)


def _raw(stream: str) -> Operation:
    return Operation(
        f"/api/result/{{id}}/{stream}",
        "GET",
        f"get{stream.capitalize()}",
        f"The raw bytes of {stream}",
        {
            200: ("All that was kept.", "application/octet-stream"),
            400: _BAD,
            404: _UNKNOWN,
            409: ("`conflict`: the run is not finished.", (bodies.Error,)),
            **_KEYED,
        },
        (_ID,),
    )


_LANGUAGES = Operation(
    "/api/languages",
    "GET",
    "getLanguages",
    "Languages that this deployment offers",
    {
        200: ("Canonical names; with `detail=true` the toolchains too.", (bodies.Languages, bodies.LanguageDetails)),
        400: _BAD,
        **_OPEN,
    },
    parameters=(_query("detail", {"type": "boolean", "default": False}, "Tell the toolchains' versions too."),),
    keyed=False,
)
_HEALTH = Operation(
    "/api/health",
    "GET",
    "getHealth",
    "How the service is",
    {
        200: ("Always.", (bodies.HealthReport,)),
        429: _THROTTLED,
        500: _FAILED,
        503: ("The gateway.", (bodies.GatewayError,)),
    },
    keyed=False,
)
_READY = Operation(
    "/api/health/ready",
    "GET",
    "getReady",
    "Whether a runner is live",
    {
        200: ("Yes.", (bodies.Ready,)),
        429: _THROTTLED,
        500: _FAILED,
        503: ("No; or a part of the service is busy.", (bodies.NotReady, bodies.Error)),
    },
    keyed=False,
)
_DOCUMENT = Operation(
    "/api/openapi.json",
    "GET",
    "getOpenApi",
    "This document",
    {200: ("OpenAPI 3.1.", (bodies.Document,)), 429: _THROTTLED, 500: _FAILED},
    keyed=False,
)

OPERATIONS = (
    _SUBMIT,
    _GET_RESULT,
    _DELETE_RESULT,
    _raw("stdout"),
    _raw("stderr"),
    _LIST_RESULTS,
    _LANGUAGES,
    _HEALTH,
    _READY,
    _DOCUMENT,
)
