"""The HTTP API: exactly the template's routes, as an ASGI application."""

from __future__ import annotations

import asyncio
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from infra.local.http_event import HttpAnswer, from_result, gateway_answer, to_event
from infra.local.metrics import duration_name, request_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from infra.local.console import Console
    from infra.local.invoker import Invoker
    from infra.local.metrics import Counters
    from infra.local.stack import Route

# Handlers block, most of them while a client waits for its result.
_MAX_CONCURRENT_INVOCATIONS: Final = 64
# Quotas of HTTP APIs and of synchronous Lambda calls; the gateway answers these cases itself, as on AWS.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
_MAX_REQUEST_BYTES: Final = 10 * 1024 * 1024
_MAX_PAYLOAD_BYTES: Final = 6 * 1024 * 1024
_INTEGRATION_TIMEOUT_SECS: Final = 30
_SMALL_BODY_CHARS: Final = 256 * 1024  # twelve bytes of JSON at most for each, and room for the headers

type Scope = dict[str, Any]
type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]


class Router:
    """Finds the route of a request as an HTTP API does: the most specific match of path and method, else `$default`.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._default = None
        self._patterns: list[tuple[re.Pattern[str], Route]] = []
        for route in routes:
            if route.path == "$default":
                self._default = route
            else:
                self._patterns.append((re.compile(_regex(route.path)), route))
        self._patterns.sort(key=lambda found: _precedence(found[1]))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route and its path parameters, None where the gateway itself answers 404."""
        for pattern, route in self._patterns:
            match = pattern.fullmatch(path)
            if match and route.method in {method, "ANY"}:
                return route, match.groupdict()
        return (self._default, {}) if self._default else None


def _regex(path: str) -> str:
    """Return the regular expression of a path. `{name}` is one part of it, `{name+}` all that follow, at least one."""
    literals = re.split(r"\{\w+\+?\}", path)
    variables = re.findall(r"\{(\w+)(\+?)\}", path)
    groups = [f"(?P<{name}>{'.+' if greedy else '[^/]+'})" for name, greedy in variables]
    return "".join(re.escape(text) + group for text, group in zip(literals, [*groups, ""], strict=True))


def _precedence(route: Route) -> tuple[bool, int, int, bool]:
    """Sort full matches before greedy ones, literal paths before variables, long paths before short, ANY last."""
    return "+}" in route.path, route.path.count("{"), -len(route.path), route.method == "ANY"


class _ClientGoneError(Exception):
    """The client disconnected before the end of its request."""


class Gateway:
    """The ASGI application."""

    def __init__(self, routes: Iterable[Route], invoker: Invoker, console: Console, counters: Counters) -> None:
        self._router = Router(routes)
        self._counters = counters
        self._invoker = invoker
        self._console = console
        self._threads = ThreadPoolExecutor(_MAX_CONCURRENT_INVOCATIONS, thread_name_prefix="request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        started = time.perf_counter()
        try:
            function, answer = await self._answer(scope, receive)
        except _ClientGoneError:
            return  # no function sees a part of a request, nor does one on AWS
        head = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        head.append((b"content-length", str(len(answer.body)).encode()))
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.start", "status": answer.status, "headers": head})
        await send({"type": "http.response.body", "body": body})
        elapsed_ms = (time.perf_counter() - started) * 1000
        self._counters.add(request_name(function, answer.status))
        self._counters.add(duration_name(function), int(elapsed_ms * 1000))
        level = "error" if answer.status >= 500 else "info"  # noqa: PLR2004 - HTTP's server errors
        line = f"{scope['method']} {scope['path']} {answer.status} {elapsed_ms:.0f} ms"
        self._console.line("http", line.encode("unicode_escape").decode("ascii"), level)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[str, HttpAnswer]:
        """Return the function, empty for an answer of the gateway itself, and the answer."""
        body = await _read_body(receive)
        if body is None:
            return "", gateway_answer(413, "Request Entity Too Large")
        found = self._router.find(scope["method"], scope["path"])
        if found is None:
            return "", gateway_answer(404, "Not Found")
        route, path_parameters = found
        event = to_event(scope, body, route.key, path_parameters)
        if _is_too_large(event):
            return route.function, gateway_answer(413, "Request Too Long")
        loop = asyncio.get_running_loop()
        invocation = loop.run_in_executor(self._threads, self._invoke, route.function, event)
        try:
            # shield: the function goes on, as it would on Lambda; only this client stops waiting.
            return route.function, await asyncio.wait_for(asyncio.shield(invocation), _INTEGRATION_TIMEOUT_SECS)
        except TimeoutError:
            return route.function, gateway_answer(503, "Service Unavailable")

    def _invoke(self, function: str, event: dict[str, Any]) -> HttpAnswer:
        try:
            result = self._invoker.invoke(function, event)
            if _is_too_large(result):
                raise ValueError("the answer is over Lambda's 6 MiB")  # noqa: TRY301 - same answer as for the others
            return from_result(result)
        except Exception:  # noqa: BLE001 - the entry point: what Lambda reports as a function error
            self._console.failure("http", function)
            return gateway_answer(500, "Internal Server Error")


def _is_too_large(payload: Any) -> bool:
    """Whether the JSON of a payload is over Lambda's limit. A small body is not, however many escapes it needs."""
    text = payload.get("body") if isinstance(payload, dict) else None
    if isinstance(text, str) and len(text) < _SMALL_BODY_CHARS:
        return False
    return len(json.dumps(payload)) > _MAX_PAYLOAD_BYTES


async def _read_body(receive: Receive) -> bytes | None:
    """Return the whole body, None if it is larger than the gateway takes. Raises _ClientGoneError."""
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= _MAX_REQUEST_BYTES:
            chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks) if size <= _MAX_REQUEST_BYTES else None
