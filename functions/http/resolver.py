"""Powertools' resolver with our errors, our 404 and 405; x-request-id on every answer, RateLimit on keyed ones."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from functions.errors import BadRequestError, MethodNotAllowedError, NotFoundError
from functions.http.error_mapping import answer_failure
from functions.http.http_event import HttpEvent
from functions.http.paths import ROUTES, find_route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoRouteError

_SERVER_ERROR = 500


class Resolver(APIGatewayHttpResolver):
    """A resolver for one thread.

    Powertools keeps the event of the running request in an attribute of a class, and route arguments in one dict. The
    local stack runs handlers on many threads of one process, where that would mix requests up. So each thread has a
    resolver of its own (`PerThread`), and the event lies in that instance.
    """

    def __init__(self, log: Logger) -> None:
        super().__init__()
        self._log = log
        self._event = HttpEvent({})
        self.not_found(self._answer_unmatched)
        self.exception_handler(Exception)(self._answer_failure)

    @property
    def current_event(self) -> HttpEvent:  # type: ignore[override]  # an attribute in the base class
        """The event of this thread's request."""
        return self._event

    @property
    def request_id(self) -> str:
        """The gateway's id of this request."""
        return self._event.request_context.request_id

    @property
    def prefix(self) -> str:
        """What stands before `/api` in this request's path: the stage, if it has one."""
        return self._get_base_path()

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event of an HTTP API (payload format 2.0)."""
        self._event = HttpEvent(dict(event))
        answer = super().resolve(event, context)
        answer["headers"]["x-request-id"] = self.request_id
        if self._event.rate_limit_headers is not None and answer["statusCode"] < _SERVER_ERROR:
            # A refusal names the limit that refused in headers of its own.
            answer["headers"] = {**self._event.rate_limit_headers(), **answer["headers"]}
        return answer

    def _answer_unmatched(self, _: NoRouteError) -> Response[str]:
        template = find_route(self._event.path)
        if template is None:
            raise NotFoundError("There is nothing at this path. GET /api/openapi.json lists what there is.")
        if self._event.http_method not in ROUTES[template]:
            raise MethodNotAllowedError(ROUTES[template])
        if "{id}" in template:  # an id with characters that the route does not take
            raise BadRequestError("The id is not a UUID.")
        raise NotFoundError("This path is served elsewhere.")

    def _answer_failure(self, error: Exception) -> Response[str]:
        return answer_failure(error, self._log, self.request_id)


class PerThread:
    """Makes a thread's resolver when the thread first needs it."""

    def __init__(self, build: Callable[[], Resolver]) -> None:
        self._build = build
        self._local = threading.local()

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event on this thread."""
        if not hasattr(self._local, "resolver"):
            self._local.resolver = self._build()
        resolver: Resolver = self._local.resolver
        return resolver.resolve(event, context)
