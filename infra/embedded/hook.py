"""Answers botocore's calls from a function in place of the network: no signature, no HTTP.

botocore asks the handlers of its public event `before-call` first, and takes the answer of one as that of the service:
https://docs.aws.amazon.com/botocore/latest/topics/events.html. What follows is botocore's own: its exceptions, and
its handlers of `after-call`. It does not repeat such a call.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore import handlers

from infra.embedded.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    import boto3

    from infra.embedded.calls import Answer, Params

type Caller = Callable[[str, str, Params], Answer]
"""(service, operation, parameters) to the answer. Raises ServiceError."""

_PARAMETERS: Final = "embedded_parameters"
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class _Response:
    """The part of an HTTP response that botocore reads after a call."""

    status_code: int
    headers: dict[str, str]


class Hook:
    """Answers all calls of the sessions that it is attached to."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._events: tuple[tuple[str, Any], ...] = (
            ("before-parameter-build", self._keep_parameters),
            ("before-call", self._answer),
        )

    def attach(self, session: boto3.Session) -> None:
        """Answer the clients that this session makes from now on."""
        for event, handler in self._events:
            session.events.register_last(event, handler)

    def attach_everywhere(self) -> None:
        """Answer the clients of every session that this process makes from now on, also those of libraries.

        botocore registers this list at each new session; moto relies on it too.
        """
        handlers.BUILTIN_HANDLERS.extend(self._events)

    def detach_everywhere(self) -> None:
        """Leave sessions that are made from now on alone."""
        for event in self._events:
            handlers.BUILTIN_HANDLERS.remove(event)

    @staticmethod
    def _keep_parameters(params: Params, context: dict[str, Any], **_event: object) -> None:
        # At `before-call` they are serialised already.
        context[_PARAMETERS] = params

    def _answer(self, model: Any, context: dict[str, Any], **_event: object) -> tuple[_Response, Answer]:
        status, more = _OK, dict[str, Any]()
        try:
            answer = self._caller(model.service_model.service_name, model.name, context[_PARAMETERS])
        except ServiceError as error:
            more = dict(error.more)
            described = {"Code": error.code, "Message": error.message, **more.pop("Error", {})}
            status, answer = error.status, {"Error": described, "Message": error.message}
        answer["ResponseMetadata"] = {
            "RequestId": str(uuid.uuid4()),
            "HTTPStatusCode": status,
            "HTTPHeaders": {},
            "RetryAttempts": 0,
        }
        return _Response(status, {}), more | answer
