"""Answers and parameters that several routes of submissions have."""

from typing import Any

from functions.http.openapi.bodies import Error, GatewayError, RefusedError
from functions.http.openapi.operation import (
    IDEMPOTENCY_HEADER,
    KEYED,
    LIMITED,
    NOT_JSON,
    Answer,
    query,
)

UNKNOWN: Answer = ("`not_found`: no such submission in this project, or past its retention.", (Error,))
SLOW: Answer = ("The gateway: no answer within 30 s. An accepted submission continues.", (GatewayError,))
ACCEPTING: dict[int, Answer] = {
    403: (
        "`forbidden`: the project may not use this profile, or not reach a host that `network` names.",
        (RefusedError,),
    ),
    409: ("`idempotency_conflict`: the Idempotency-Key was used with another body.", (Error,)),
    415: NOT_JSON,
    504: SLOW,
    **KEYED,
    429: LIMITED,
}
"""Answers of operations that accept a submission, in addition to their own."""
SHAPE = (
    query("encoding", {"enum": ["base64"]}, "Exact output, base64-encoded."),
    query("view", {"enum": ["compact"]}, "A short body without aliases, evidence and empty fields."),
)


def wait_parameter(most_secs: int, *, default: bool = False, until: str = "the run is finished") -> dict[str, Any]:
    """Describe `wait`."""
    number = {"type": "number", "minimum": 0, "maximum": most_secs, "multipleOf": 0.001}
    return query(
        "wait",
        {"anyOf": [{"type": "boolean"}, number], "default": default},
        f"Hold the request until {until}, at most this many seconds. true: {most_secs}.",
    )


IDEMPOTENCY_KEY: dict[str, Any] = IDEMPOTENCY_HEADER | {
    "description": "Kept 24 h. The same key with the same body is the same submission."
}
