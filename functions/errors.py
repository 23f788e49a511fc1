"""Errors of requests and of queue messages.

    Exception
    ├── ServiceError                  an error answer: status and code are part of the contract
    │   ├── BadRequestError           400 bad_request
    │   ├── UnauthorizedError         401 unauthorized
    │   ├── ForbiddenError            403 forbidden
    │   ├── NotFoundError             404 not_found
    │   ├── MethodNotAllowedError     405 method_not_allowed, with Allow
    │   ├── IdempotencyConflictError  409 idempotency_conflict
    │   ├── ConflictError             409 conflict
    │   ├── FilesMissingError         409 files_missing, with the hashes
    │   ├── TooLargeError             413 too_large
    │   ├── UnsupportedMediaTypeError 415 unsupported_media_type
    │   ├── InvalidFieldsError        422 invalid, with fields
    │   ├── RateLimitedError          429 rate_limited, with Retry-After and the RateLimit headers
    │   └── UnavailableError          503 unavailable, with Retry-After

Only `functions.http.answers` turns a ServiceError into an answer. Messages are sentences for people.
They hold no path, header, secret or program text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Literal

MAX_PROBLEMS = 20
_MAX_FIELD_CHARS, _MAX_SENTENCE_CHARS = 200, 1_000


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field of a request that is missing or wrong. `field` is dotted: `limits.memory_mb`.

    `of`: other fields without which it is none. `code`: of the error, if it is the first problem of the request.
    """

    field: str
    message: str
    of: tuple[str, ...] = ()
    code: Literal["invalid", "bad_request", "forbidden"] = "invalid"


class ServiceError(Exception):
    """An error that the caller gets as an answer. `headers`: those that belong to it.

    `fields`: the first MAX_PROBLEMS wrong ones. `missing`: hashes of files that the project does not store.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    missing: tuple[str, ...] = ()

    def __init__(
        self, message: str, headers: Mapping[str, str] | None = None, problems: Iterable[FieldProblem] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        self.fields = tuple(
            FieldProblem(problem.field[:_MAX_FIELD_CHARS], problem.message[:_MAX_SENTENCE_CHARS])
            for problem in islice(problems, MAX_PROBLEMS)
        )


class BadRequestError(ServiceError):
    """Broken JSON, a bad parameter, an unsupported language, code or stdin over its limit."""

    code = "bad_request"
    status = 400


class UnauthorizedError(ServiceError):
    """The key is missing, unknown, revoked or expired, or its project is disabled."""

    code = "unauthorized"
    status = 401


class ForbiddenError(ServiceError):
    """The key is valid but lacks the permission."""

    code = "forbidden"
    status = 403


class NotFoundError(ServiceError):
    """The path is unknown, or the id is unknown, expired or of another project."""

    code = "not_found"
    status = 404


class MethodNotAllowedError(ServiceError):
    """The path exists but does not support the method. `Allow`: RFC 9110, section 15.5.6."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, allowed: tuple[str, ...]) -> None:
        methods = ", ".join(allowed)
        super().__init__(f"This path answers {methods} only.", {"allow": methods})


class IdempotencyConflictError(ServiceError):
    """The Idempotency-Key was used with another body."""

    code = "idempotency_conflict"
    status = 409

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used with another body. Use a new key.")


class ConflictError(ServiceError):
    """The current state of the resource forbids the request."""

    code = "conflict"
    status = 409


class FilesMissingError(ServiceError):
    """A request names files that its project does not store: `missing`, their SHA-256."""

    code = "files_missing"
    status = 409

    def __init__(self, missing: tuple[str, ...]) -> None:
        way_out = "Send them (POST /api/files says how), then repeat the request."
        super().__init__(f"This project does not store {len(missing)} of the files of this request. {way_out}")
        self.missing = missing


class TooLargeError(ServiceError):
    """The HTTP body is over its limit."""

    code = "too_large"
    status = 413


class UnsupportedMediaTypeError(ServiceError):
    """The body is not JSON."""

    code = "unsupported_media_type"
    status = 415


class InvalidFieldsError(ServiceError):
    """Valid JSON with missing, mistyped or out-of-range fields."""

    code = "invalid"
    status = 422

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        names = ", ".join(problem.field[:_MAX_FIELD_CHARS] for problem in problems[:MAX_PROBLEMS])
        super().__init__(f"Some fields are missing or wrong: {names}.", problems=problems)


class _RetryLaterError(ServiceError):
    """An error with Retry-After: the caller may repeat the request later."""

    def __init__(self, message: str, retry_after_secs: int = 2, rate_headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, {"retry-after": str(retry_after_secs), **(rate_headers or {})})
        self.retry_after_secs = retry_after_secs


class RateLimitedError(_RetryLaterError):
    """A quota is used up. `rate_headers`: the RateLimit headers of the exceeded limit."""

    code = "rate_limited"
    status = 429


class UnavailableError(_RetryLaterError):
    """A queue is too long, or a dependency throttles. Nothing was accepted."""

    code = "unavailable"
    status = 503
