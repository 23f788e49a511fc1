"""JSON answers of routes."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    HTTPClientError,
)

from functions.aws.dynamodb.items import cancellation_codes
from functions.aws.dynamodb.table import Page
from functions.aws.dynamodb.transaction import RowsContendedError
from functions.errors import ServiceError, UnavailableError
from functions.http.json_body import body_text, count_fitting
from functions.http.parameters import write_cursor

JSON_TYPE = "application/json"


def answer(body: Mapping[str, object] | Sequence[Any], status: int = 200) -> Response[str]:
    """Build a JSON answer."""
    return Response(status_code=status, content_type=JSON_TYPE, body=body_text(body))


def page_answer[Item](
    owner: str,
    page: Page[Item],
    body_of: Callable[[Item], Mapping[str, object]],
    created_key: Callable[[Item], str],
    **more: object,
) -> Response[str]:
    """Build one page of a list. It ends early where its bodies are too large for a response.

    `owner`: that of its cursor. `created_key`: the position of an item. `more`: further fields of the answer.
    """
    bodies, after = list(map(body_of, page.rows)), page.next_created_key
    count = count_fitting(map(body_text, bodies))
    if count < len(bodies):
        after = created_key(page.rows[count - 1])
    return answer({"items": bodies[:count], "next_cursor": write_cursor(owner, after) if after else None, **more})


# Map exceptions to answers.

# Error codes of AWS services that are overloaded or throttle.
_BUSY = frozenset(
    {
        "InternalError",
        "InternalServerError",
        "KmsThrottled",
        "LimitExceededException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_SERVER_ERROR = 500


def answer_failure(error: Exception, log: Logger, request_id: str) -> Response[str]:
    """Turn an exception of a route into its answer. Unexpected ones are logged; their answer has no details."""
    known = error if isinstance(error, ServiceError) else _busy_dependency(error, log, request_id)
    if known is None:
        log.error("Request failed", request_id=request_id, exc_info=error)
        body = {"error": "internal", "message": "Something failed on our side. Quote x-request-id when you report it."}
        return Response(status_code=_SERVER_ERROR, content_type=JSON_TYPE, body=json.dumps(body))
    tell = log.info if known.status < _SERVER_ERROR else log.warning
    tell("Request refused", request_id=request_id, status_code=known.status, error_code=known.code)
    described: dict[str, Any] = {"error": known.code, "message": known.message}
    if known.fields:
        described["fields"] = [{"field": problem.field, "message": problem.message} for problem in known.fields]
    if known.missing:
        described["missing"] = list(known.missing)
    return Response(
        status_code=known.status, content_type=JSON_TYPE, headers=dict(known.headers), body=json.dumps(described)
    )


def _busy_dependency(error: Exception, log: Logger, request_id: str) -> ServiceError | None:
    if isinstance(error, ClientError):
        codes = {error.response["Error"]["Code"], *cancellation_codes(error)}
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if codes.isdisjoint(_BUSY) and status < _SERVER_ERROR:
            return None
    elif not isinstance(error, RowsContendedError | ConnectionError | HTTPClientError):
        return None  # the last two: no connection, timeout, connection lost
    log.warning("A dependency is busy; the client gets 503", request_id=request_id, error_type=type(error).__name__)
    return UnavailableError(
        "A part of the service is busy. Repeat the request, with the same Idempotency-Key if it had one."
    )
