"""Errors of requests and of queue messages.

Only `functions.http.answers` turns a ServiceError into an answer. Messages are sentences for people.
They hold no path, header, secret or program text.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Literal

MAX_PROBLEMS = 20
_INDEX = re.compile(r"\.(\d+)(?=\.|$)")
_MAX_FIELD_CHARS, _MAX_SENTENCE_CHARS = 200, 1_000


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field of a request that is missing or wrong. `field` is dotted: `limits.memory_mb`, `cases.3.stdin`.

    Clients get the latter as `cases[3].stdin`.

    `of`: other fields without which it is none. `code`: of the error, if it is the first problem of the request.
    """

    field: str
    message: str
    of: tuple[str, ...] = ()
    code: Literal["invalid", "bad_request", "forbidden"] = "invalid"


def _shown(field: str) -> str:
    return _INDEX.sub(r"[\1]", field)[:_MAX_FIELD_CHARS]


class ServiceError(Exception):
    """An error that the caller gets as an answer. `headers`: those that belong to it.

    `fields`: the first MAX_PROBLEMS wrong ones. `missing`: hashes of files that the project does not store.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    missing: tuple[str, ...] = ()

    def __init_subclass__(cls, status: int, code: str) -> None:
        """Let a class say in its head which answer it is. Status and code are part of the contract."""
        cls.status, cls.code = status, code

    def __init__(
        self, message: str, headers: Mapping[str, str] | None = None, problems: Iterable[FieldProblem] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        self.fields = tuple(
            FieldProblem(_shown(problem.field), problem.message[:_MAX_SENTENCE_CHARS])
            for problem in islice(problems, MAX_PROBLEMS)
        )

    @property
    def text(self) -> str:
        """The wrong fields, each with its sentence; the message without any."""
        return " ".join(f"{one.field}: {one.message}" for one in self.fields) or self.message


class BadRequestError(ServiceError, status=400, code="bad_request"):
    """Broken JSON, a bad parameter, an unsupported language, code or stdin over its limit."""


class UnauthorizedError(ServiceError, status=401, code="unauthorized"):
    """The key is missing, unknown, revoked or expired, or its project is disabled."""


class ForbiddenError(ServiceError, status=403, code="forbidden"):
    """The key is valid but lacks the permission."""


class NotFoundError(ServiceError, status=404, code="not_found"):
    """The path is unknown, or the id is unknown, expired or of another project."""


class MethodNotAllowedError(ServiceError, status=405, code="method_not_allowed"):
    """The path exists but does not support the method. `Allow`: RFC 9110, section 15.5.6."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        methods = ", ".join(allowed)
        super().__init__(f"This path answers {methods} only.", {"allow": methods})


class IdempotencyConflictError(ServiceError, status=409, code="idempotency_conflict"):
    """The Idempotency-Key was used with another body."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used with another body. Use a new key.")


class ConflictError(ServiceError, status=409, code="conflict"):
    """The current state of the resource forbids the request."""


class FilesMissingError(ServiceError, status=409, code="files_missing"):
    """A request names files that its project does not store: `missing`, their SHA-256."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        way_out = "Send them (POST /api/files says how), then repeat the request."
        super().__init__(f"This project does not store {len(missing)} of the files of this request. {way_out}")
        self.missing = missing


class TooLargeError(ServiceError, status=413, code="too_large"):
    """The HTTP body is over its limit."""


class UnsupportedMediaTypeError(ServiceError, status=415, code="unsupported_media_type"):
    """The body is not JSON."""


class InvalidFieldsError(ServiceError, status=422, code="invalid"):
    """Valid JSON with missing, mistyped or out-of-range fields."""

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        names = ", ".join(_shown(problem.field) for problem in problems[:MAX_PROBLEMS])
        super().__init__(f"Some fields are missing or wrong: {names}.", problems=problems)


class RetryLaterError(ServiceError, status=503, code="unavailable"):
    """An error with Retry-After: the caller may repeat the request later."""

    def __init__(self, message: str, retry_after_secs: int = 2, rate_headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, {"retry-after": str(retry_after_secs), **(rate_headers or {})})
        self.retry_after_secs = retry_after_secs


class RateLimitedError(RetryLaterError, status=429, code="rate_limited"):
    """A quota is used up. `rate_headers`: the RateLimit headers of the exceeded limit."""


class UnavailableError(RetryLaterError, status=503, code="unavailable"):
    """A queue is too long, or a dependency throttles. Nothing was accepted."""
