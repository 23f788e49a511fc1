"""Powertools' resolver with our error answers, x-request-id on every answer and the RateLimit headers."""

from __future__ import annotations

import math
import re
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Literal, NamedTuple

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from functions import otlp
from functions.errors import BadRequestError, MethodNotAllowedError, NotFoundError
from functions.http.answers import answer_failure
from functions.http.http_event import HttpEvent
from functions.http.long_poll import ANSWER_SECS
from functions.http.parameters import find_route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoRouteError

    from functions.env import Env
    from functions.http.openapi.operation import Answer, Schema
    from functions.http.rights import Right


# One route of the API: a row of the table in the `api.py` of a part.

type Wait = Literal["never", "if_asked", "by_default"]
"""Whether a request may wait: if its query has `wait`, or unless its query has `wait=false`."""


class Route[Part](NamedTuple):
    """One method of one path: who serves it, and what the OpenAPI document says about it.

    `serve`: a method of the part. It gets the resolver, and the values of the path's variables in their order.
    `request`: the schema of the body, or its media type. `security`: the required key, or None. `rights`: an API key
    needs one of them; a row without any opens to none.
    `examples`: those of the request.

    The gateway of one machine asks for the last fields. On AWS the function itself sees to the same.
    `waits`: such a request holds a thread for waits. `read_max_bytes`: a larger body stays unread, and the function
    sees an empty one; None: the gateway's own limit. `has_secret`: the path after its first variable is a secret, which
    no log has. `is_health`: served by threads and connections of its own, whatever the load.
    A NamedTuple, because handlers import it at their cold start: a dataclass takes five times as long to define.
    """

    key: str
    serve: Callable[Concatenate[Part, Resolver, ...], Response[Any]]
    operation_id: str
    summary: str
    answers: dict[int, Answer]
    parameters: tuple[dict[str, Any], ...] = ()
    request: Schema | str | None = None
    examples: dict[str, Any] | None = None
    body_required: bool = True
    security: Literal["ApiKey", "AdminKey", "Signature"] | None = "ApiKey"
    rights: tuple[Right, ...] = ()
    waits: Wait = "never"
    read_max_bytes: int | None = None
    has_secret: bool = False
    is_health: bool = False

    @property
    def method(self) -> str:
        return self.key.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.key.partition(" ")[2]


_SERVER_ERROR = 500
_MOST_IDLE = 8


class Resolver(APIGatewayHttpResolver):
    """A resolver for one thread.

    Powertools keeps the current event in a class attribute and the route arguments in one dict. The local stack runs
    handlers on many threads of one process, which would mix up their requests. So each request has a resolver for
    itself (`Resolvers`), and the instance holds the event.
    """

    def __init__(self, log: Logger) -> None:
        super().__init__()
        self._log = log
        self._event = HttpEvent({})
        self._methods: dict[str, tuple[str, ...]] = {}
        self._invocation: Any = None
        self.not_found(self._answer_unmatched)
        self.exception_handler(Exception)(self._answer_failure)

    def serve[Part](self, routes: Iterable[Route[Part]], part: Callable[[], Part]) -> None:
        """Answer these routes by the methods of a part, which `part` returns on the first request."""
        for each in routes:
            self._methods[each.path] = (*self._methods.get(each.path, ()), each.method)
            rule = re.sub(r"{(\w+\+?)}", r"<\1>", each.path)
            self.route(rule, each.method)(self._server(each, part))

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
        """The part of the request's path before `/api`: the stage, or empty."""
        return self._get_base_path()

    def secs_left(self) -> float:
        """Return how long this request may still wait, so that its answer comes before the function's timeout."""
        if self._invocation is None:
            return math.inf
        left_ms: int = self._invocation.get_remaining_time_in_millis()
        return max(0.0, left_ms / 1000 - ANSWER_SECS)

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event of an HTTP API (payload format 2.0)."""
        self._event, self._invocation = HttpEvent(dict(event)), context
        self._log.thread_safe_append_keys(correlation_id=self._event.correlation_id)
        try:
            answer = super().resolve(event, context)
            otlp.flush(self._log)
        finally:
            self._log.thread_safe_clear_keys()
        answer["headers"]["x-request-id"] = self._event.correlation_id
        if self._event.rate_limit_headers is not None and answer["statusCode"] < _SERVER_ERROR:
            # A 429 answer already has the headers of the exceeded limit: they win.
            answer["headers"] = {**self._event.rate_limit_headers(), **answer["headers"]}
        return answer

    def forget(self) -> None:
        """Drop the request, whose body may have megabytes."""
        self._event, self._invocation = HttpEvent({}), None

    @staticmethod
    def _compile_regex(rule: str, base_regex: str = "^{}$") -> re.Pattern[str]:
        """As in the base class; `<name+>` also takes slashes, as `{name+}` of an HTTP API does."""
        compiled: re.Pattern[str] = APIGatewayHttpResolver._compile_regex(rule, base_regex)  # noqa: SLF001 - overridden here
        return re.compile(re.sub(r"<(\w+)\+>", r"(?P<\1>.+)", compiled.pattern))

    def _server[Part](self, route: Route[Part], part: Callable[[], Part]) -> Callable[..., Response[Any]]:
        known = frozenset(each["name"] for each in route.parameters if each["in"] == "query")

        def serve(**variables: str) -> Response[Any]:
            self._log.thread_safe_append_keys(route=route.key)  # the gateway's own log has the route of the template
            self._event.known_parameters, self._event.rights = known, route.rights
            return route.serve(part(), self, *variables.values())

        return serve

    def _answer_unmatched(self, _: NoRouteError) -> Response[str]:
        template = find_route(self._event.path, self._methods)
        if template is None:
            raise NotFoundError("This path does not exist. GET /api/openapi.json lists all paths.")
        if self._event.http_method not in self._methods[template]:
            raise MethodNotAllowedError(self._methods[template])
        if "{id}" in template:  # the route does not match some characters of an id
            raise BadRequestError("The id is not a UUID.")
        raise NotFoundError("This path is served elsewhere.")

    def _answer_failure(self, error: Exception) -> Response[str]:
        return answer_failure(error, self._log, self.request_id)


class Resolvers:
    """Lends a resolver to each request. Few are kept: many threads would otherwise each keep one of each function."""

    def __init__(self, build: Callable[[], Resolver]) -> None:
        self.new = build
        self._idle: deque[Resolver] = deque(maxlen=_MOST_IDLE)

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event."""
        try:
            resolver = self._idle.pop()
        except IndexError:
            resolver = self.new()
        try:
            return resolver.resolve(event, context)
        finally:
            resolver.forget()
            self._idle.append(resolver)


type Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


def api_handler(env: Env, *served: tuple[Iterable[Route[Any]], Callable[[Env], Any]]) -> Handler:
    """Return a Lambda entry point for events of an HTTP API: of tables of routes, each with the part that serves it."""

    def build() -> Resolver:
        app = Resolver(env.log)
        for routes, part in served:
            app.serve(routes, partial(env.__getitem__, part))
        return app

    return Resolvers(build).resolve
