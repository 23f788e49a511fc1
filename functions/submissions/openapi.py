"""OpenAPI operations of submissions: parameters and all answers."""

from typing import Any

from functions.http.openapi.bodies import Error, GatewayError, InvalidError
from functions.http.openapi.document import Links
from functions.http.openapi.operation import (
    BAD,
    ID,
    IDEMPOTENCY_HEADER,
    KEYED,
    LIMITED,
    NOT_JSON,
    PAGE,
    TRACEPARENT_HEADER,
    Answer,
    Operation,
    Webhook,
    query,
)
from functions.http.parameters import LONG_POLL_MAX_SECS, SUBMIT_MAX_SECS
from functions.messages.languages import Language
from functions.messages.verdict import Verdict
from functions.submissions import openapi_bodies as bodies
from functions.submissions.accept.requests import SubmitRequest
from functions.submissions.model import Kind, Status
from functions.submissions.openapi_service import SERVICE_OPERATIONS
from functions.webhooks.routes.openapi_events import REPEATED, RESPONSES
from functions.webhooks.vocabulary.event_types import EVENT_COMPLETED

_RESULT = (bodies.FinalResult, bodies.OpenResult, bodies.CompactFinal, bodies.CompactOpen)
UNKNOWN: Answer = ("`not_found`: no such submission in this project, or past its retention.", (Error,))
SLOW: Answer = ("The gateway: no answer within 30 s. An accepted submission continues.", (GatewayError,))
ACCEPTING: dict[int, Answer] = {
    403: ("`forbidden`: the key may not use this profile.", (Error,)),
    409: ("`idempotency_conflict`: the Idempotency-Key was used with another body.", (Error,)),
    415: NOT_JSON,
    504: SLOW,
    **KEYED,
    429: LIMITED,
}
"""Answers of operations that accept a submission, in addition to their own."""
_SHAPE = (
    query("encoding", {"enum": ["base64"]}, "Exact output, base64-encoded."),
    query("view", {"enum": ["compact"]}, "A short body without aliases, evidence and empty fields."),
)


def wait_parameter(most_secs: int, *, default: bool = False) -> dict[str, Any]:
    """Describe `wait`."""
    number = {"type": "number", "minimum": 0, "maximum": most_secs, "multipleOf": 0.001}
    return query(
        "wait",
        {"anyOf": [{"type": "boolean"}, number], "default": default},
        f"Hold the request until the run is finished, at most this many seconds. true: {most_secs}.",
    )


IDEMPOTENCY_KEY: dict[str, Any] = IDEMPOTENCY_HEADER | {
    "description": "Kept 24 h. The same key with the same body is the same submission."
}
_SUBMIT_EXAMPLES: dict[str, Any] = {
    "minimal": {"value": {"language": "python", "code": "print(42)"}},
    "full": {
        "value": {
            "language": "c",
            "code": "int main(void) { return 0; }",
            "stdin": "7",
            "profile": "judge",
            "limits": {"cpu_time_secs": 1.5, "wall_time_secs": 3, "memory_mb": 64, "max_processes": 4, "output_kb": 64},
            "metadata": {"build": "1042"},
        }
    },
}

_SUBMIT = Operation(
    "/api/submit",
    "POST",
    "submit",
    "Run a program once",
    {
        200: (
            "`wait=true`, or a repeat with the same Idempotency-Key: the run is finished.",
            (bodies.FinalResult, bodies.CompactFinal),
        ),
        202: ("Queued.", (bodies.Accepted,)),
        400: (
            "`bad_request`: broken JSON, a bad `wait`, an unsupported language, code or stdin too large.",
            (Error,),
        ),
        404: ("`not_found`: the submission was deleted while the request waited for it.", (Error,)),
        408: ("The wait is over, and the run is not finished. It continues.", (bodies.WaitOver,)),
        413: ("`too_large`: the body is over 1 MiB. The gateway answers this over 6 MB.", (Error, GatewayError)),
        422: ("`invalid`: fields are missing, mistyped or over their ceilings.", (InvalidError,)),
        **ACCEPTING,
    },
    (wait_parameter(SUBMIT_MAX_SECS), *_SHAPE, IDEMPOTENCY_KEY, TRACEPARENT_HEADER),
    SubmitRequest,
    _SUBMIT_EXAMPLES,
)
_GET_RESULT = Operation(
    "/api/result/{id}",
    "GET",
    "getResult",
    "One submission, in any state",
    {200: ("Finished or not.", _RESULT), 400: BAD, 404: UNKNOWN, 504: SLOW, **KEYED},
    (ID, wait_parameter(LONG_POLL_MAX_SECS), *_SHAPE),
)
_DELETE_RESULT = Operation(
    "/api/result/{id}",
    "DELETE",
    "deleteResult",
    "Delete code, input and output at once",
    {
        200: ("Gone.", (bodies.Deleted,)),
        400: BAD,
        404: UNKNOWN,
        409: ("`conflict`: it is running.", (Error,)),
        **KEYED,
    },
    (ID,),
)
_LIST_RESULTS = Operation(
    "/api/results",
    "GET",
    "listResults",
    "The project's submissions, newest first",
    {200: ("One page.", (bodies.ResultPage,)), 400: BAD, **KEYED},
    (
        query("status", {"enum": list(Status)}, "Only these."),
        query("verdict", {"enum": list(Verdict)}, "Only these."),
        query("language", {"enum": list(Language)}, "Only these. Aliases are accepted."),
        query("kind", {"enum": list(Kind)}, "Only runs, or only judge runs."),
        *PAGE,
    ),
)


def _raw(stream: str) -> Operation:
    return Operation(
        f"/api/result/{{id}}/{stream}",
        "GET",
        f"get{stream.capitalize()}",
        f"The raw bytes of {stream}",
        {
            200: ("The stored bytes.", ("application/octet-stream",)),
            400: BAD,
            404: UNKNOWN,
            409: ("`conflict`: the run is not finished.", (Error,)),
            **KEYED,
        },
        (ID,),
    )


OPERATIONS = (
    _SUBMIT,
    _GET_RESULT,
    _DELETE_RESULT,
    _raw("stdout"),
    _raw("stderr"),
    _LIST_RESULTS,
    *SERVICE_OPERATIONS,
)

WEBHOOKS = {
    EVENT_COMPLETED: Webhook(
        "submissionCompleted", "A submission is finished", REPEATED, bodies.CompletedEvent, RESPONSES
    )
}
LINKS = Links(frozenset({bodies.Accepted, bodies.WaitOver}), ("getResult", "getStdout", "getStderr", "deleteResult"))
