"""Parameters, answers and errors of calls, as botocore's clients give and get them."""

from __future__ import annotations

from typing import Any

type Params = dict[str, Any]
type Answer = dict[str, Any]


class StoreUnusableError(Exception):
    """The message names the problem of the folder or the file, and the way out."""


class ServiceError(Exception):
    """`code` and `message` as the service words them; `more` are further members of the answer, and of its `Error`."""

    def __init__(self, code: str, message: str, status: int = 400, *, more: dict[str, Any] | None = None) -> None:
        self.code = code
        self.message = message
        self.status = status
        self.more = more or {}
        super().__init__(f"{code}: {message}")


class MismatchError(ServiceError):
    """A correct update does not fit the item as it is."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


def unknown(what: str) -> ServiceError:
    """Refuse a part of AWS that the engine does not have."""
    return ServiceError("UnsupportedOperation", f"the embedded engine does not know {what}", 501)


def of_sqs(name: str, code: str, message: str) -> ServiceError:
    """Refuse as SQS does: `code` as its older protocol words it, `name` of the exception that clients see."""
    return ServiceError(f"AWS.SimpleQueueService.{code}", message, more={"Error": {"QueryErrorCode": name}})


def invalid(message: str) -> ServiceError:
    """Refuse a request as DynamoDB does."""
    return ServiceError("ValidationException", message)
