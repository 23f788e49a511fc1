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
    │   ├── TooLargeError             413 too_large
    │   ├── UnsupportedMediaTypeError 415 unsupported_media_type
    │   ├── InvalidFieldsError        422 invalid, with fields
    │   ├── RateLimitedError          429 rate_limited, with Retry-After and the RateLimit headers
    │   └── UnavailableError          503 unavailable, with Retry-After
    └── MessageInvalidError           a queue message that does not fit its schema

Only `functions.http.error_mapping` turns a ServiceError into an answer. Messages are sentences for people.
They hold no path, header, secret or program text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field of a request that is missing or wrong. `field` is dotted: `limits.memory_mb`."""

    field: str
    message: str


class ServiceError(Exception):
    """An answer that is not the one the caller hoped for."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers that belong to this error."""
        return {}

    @property
    def fields(self) -> tuple[FieldProblem, ...]:
        """Problems field by field; empty for all but InvalidFieldsError."""
        return ()


class BadRequestError(ServiceError):
    """Broken JSON, a bad parameter, an unsupported language, code or stdin over its limit."""

    code = "bad_request"
    status = 400


class UnauthorizedError(ServiceError):
    """No key, or a key that is unknown, revoked or expired. One message for all four."""

    code = "unauthorized"
    status = 401


class ForbiddenError(ServiceError):
    """A valid key that may not do this."""

    code = "forbidden"
    status = 403


class NotFoundError(ServiceError):
    """Unknown id (or somebody else's, or an expired one), unknown path."""

    code = "not_found"
    status = 404


class MethodNotAllowedError(ServiceError):
    """A known path with a method that it does not have."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(f"This path answers {', '.join(allowed)} only.")
        self.allowed = allowed

    @property
    def headers(self) -> Mapping[str, str]:
        """The Allow header of RFC 9110, section 15.5.6."""
        return {"allow": ", ".join(self.allowed)}


class IdempotencyConflictError(ServiceError):
    """The same Idempotency-Key with another body."""

    code = "idempotency_conflict"
    status = 409


class ConflictError(ServiceError):
    """The state of the thing forbids this now."""

    code = "conflict"
    status = 409


class TooLargeError(ServiceError):
    """HTTP body over its limit."""

    code = "too_large"
    status = 413


class UnsupportedMediaTypeError(ServiceError):
    """A body that is not JSON."""

    code = "unsupported_media_type"
    status = 415


class InvalidFieldsError(ServiceError):
    """Valid JSON with missing, mistyped or out-of-range fields."""

    code = "invalid"
    status = 422

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        super().__init__("Some fields are missing or wrong: " + ", ".join(problem.field for problem in problems) + ".")
        self._problems = problems

    @property
    def fields(self) -> tuple[FieldProblem, ...]:
        """Every problem that was found."""
        return self._problems


class _RetryLaterError(ServiceError):
    """An answer that asks the caller to come back after some seconds."""

    def __init__(self, message: str, retry_after_secs: int) -> None:
        super().__init__(message)
        self.retry_after_secs = retry_after_secs

    @property
    def headers(self) -> Mapping[str, str]:
        """Whole seconds until a repeat makes sense."""
        return {"retry-after": str(self.retry_after_secs)}


class RateLimitedError(_RetryLaterError):
    """A quota is used up. `rate_headers`: those of the limit that refused."""

    code = "rate_limited"
    status = 429

    def __init__(self, message: str, retry_after_secs: int, rate_headers: Mapping[str, str]) -> None:
        super().__init__(message, retry_after_secs)
        self._rate_headers = rate_headers

    @property
    def headers(self) -> Mapping[str, str]:
        """Retry-After and the RateLimit headers."""
        return {**super().headers, **self._rate_headers}


class UnavailableError(_RetryLaterError):
    """A queue over its bound, or a dependency that throttles. Nothing was accepted."""

    code = "unavailable"
    status = 503

    def __init__(self, message: str, retry_after_secs: int = 2) -> None:
        super().__init__(message, retry_after_secs)


class MessageInvalidError(Exception):
    """A queue message that does not fit its schema. Names the places, never the content."""
