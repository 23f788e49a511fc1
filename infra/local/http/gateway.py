"""The HTTP API: exactly the template's routes, as an ASGI application."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from functions.http.parameters import bearer_token, key_of
from functions.http.resolver import Route as ApiRoute
from infra.local.http.answers import HttpAnswer, from_result, gateway_answer, to_event
from infra.local.http.request_threads import OVERLOADED, ClientGoneError, FairShares, NoShareError, RequestThreads
from infra.local.http.stored_content import StoredContent, send_whole, stay_silent
from infra.local.metrics import duration_name, request_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from infra.local.console import Console
    from infra.local.http.answers import Receive, Scope, Send
    from infra.local.http.request_threads import Held
    from infra.local.invoker import Invoker, LambdaContext
    from infra.local.metrics import Counters
    from infra.local.template import Route

# The project of a request, as far as its API key tells.

NOBODY: Final = ""
"""The owner of all requests without a valid key. They have one share together."""
_ADMINISTRATOR: Final = "X-Admin-Key"
"""The owner of the administrator's requests, so that no flood keeps them out."""
_MOST_KEYS: Final = 10_000
FRESH_SECS: Final = 60.0

type Find = Callable[[str], str | None]


class KeyOwners:
    """Finds the project of a request's API key. `find`: returns the project of a key, None for an invalid one.

    This decides about shares only: the functions authenticate. So a key that was valid once is believed while it is
    looked up again, every minute. A revoked one takes nothing from its project then.
    """

    def __init__(self, find: Find, is_administrator: Callable[[str], bool]) -> None:
        def find_administrator(key: str) -> str | None:
            return _ADMINISTRATOR if is_administrator(key) else None

        self._finders: dict[bytes, Find] = {
            b"x-admin-key": find_administrator,
            b"x-api-key": find,
            b"x-auth-token": find,  # these and the last one: clients of other services (functions/dialects)
            b"x-rapidapi-key": find,
            b"x-apihub-key": find,
            b"authorization": lambda sent: find_administrator(bearer_token(sent)) or find(key_of(sent) or sent),
        }
        self._known: dict[bytes, tuple[str, float]] = {}  # by digest: the owner, and when to look again
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="key-owners")
        self._looks = set[asyncio.Task[str | None]]()

    async def owner(self, headers: Sequence[tuple[bytes, bytes]], key_in_path: str = "") -> str:
        """Return the owner of a request with these headers: its project, the administrator or NOBODY."""
        for name, find in self._finders.items():
            keys = [value for field, value in headers if field == name]
            if len(keys) == 1 and (owner := await self._owner_of(name, keys[0], find)) is not None:
                return owner
        if key_in_path:
            return await self._owner_of(b"x-api-key", key_in_path.encode(), self._finders[b"x-api-key"]) or NOBODY
        return NOBODY

    async def _owner_of(self, name: bytes, key: bytes, find: Find) -> str | None:
        digest = hashlib.sha256(name + b":" + key).digest()
        if (known := self._known.get(digest)) is None:
            return await self._look(digest, key, find)
        owner, look_at = known
        if monotonic() >= look_at:
            self._known[digest] = owner, monotonic() + FRESH_SECS
            look = asyncio.create_task(self._look(digest, key, find))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)
        return owner

    async def _look(self, digest: bytes, key: bytes, find: Find) -> str | None:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, find, key.decode("latin-1"))
        except Exception:  # noqa: BLE001 - the tables are away: the function answers so
            return None
        if found is None:
            self._known.pop(digest, None)
            return None
        if digest not in self._known and len(self._known) >= _MOST_KEYS:
            del self._known[next(iter(self._known))]
        self._known[digest] = found, monotonic() + FRESH_SECS
        return found


# Quotas of HTTP APIs and of synchronous Lambda calls; the gateway answers these cases itself, as on AWS.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
_MAX_REQUEST_BYTES: Final = 10 * 1024 * 1024
_MAX_PAYLOAD_BYTES: Final = 6 * 1024 * 1024
_SMALL_BODY_CHARS: Final = 256 * 1024  # twelve bytes of JSON at most for each, and room for the headers
_MAX_BODY_BYTES_IN_FLIGHT: Final = 128 * 1024 * 1024

type Flush = Callable[[str, HttpAnswer], HttpAnswer]
"""Path of a request and its answer to the answer that may leave: `DurableAnswers.flush`."""


type HasPath = Route | ApiRoute[Any]
"""A route: of the template, or of the API's table."""


class Router[R: (Route, ApiRoute[Any])]:
    """Finds the route of a request as an HTTP API does: the most specific match of path and method, else `$default`.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
    """

    def __init__(self, routes: Iterable[R]) -> None:
        self._default: R | None = None
        self._patterns: list[tuple[re.Pattern[str], R]] = []
        for route in routes:
            if route.path == "$default":
                self._default = route
            else:
                self._patterns.append((re.compile(_regex(route.path)), route))
        self._patterns.sort(key=lambda found: _precedence(found[1]))

    def find(self, method: str, path: str) -> tuple[R, dict[str, str]] | None:
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


def _precedence(route: HasPath) -> tuple[bool, int, int, bool]:
    """Sort full matches before greedy ones, literal paths before variables, long paths before short, ANY last."""
    return "+}" in route.path, route.path.count("{"), -len(route.path), route.method == "ANY"


_API_KEY: Final = re.compile(r"rb_live_[0-9A-Za-z_-]+")


class Manners:
    """What the rows of the API's table say about a request. Most say nothing, and are not looked through."""

    def __init__(self, rows: Iterable[ApiRoute[Any]]) -> None:
        rows = tuple(rows)
        special = (row for row in rows if row.waits != "never" or row.read_max_bytes is not None or row.is_health)
        self._router = Router(special)
        secret = {row.path.partition("{")[0] for row in rows if row.has_secret}
        self._secrets = re.compile(f"({'|'.join(map(_loosely, sorted(secret)))})[^/]+", re.IGNORECASE)
        keyed = {row.path.partition("{key}")[0] for row in rows if "/{key}/" in row.path}
        self._keys = re.compile(f"(?:{'|'.join(map(re.escape, sorted(keyed)))})([^/]+)/")

    def of(self, scope: Scope) -> ApiRoute[Any]:
        """Return the row of a request. A slash at its end means nothing to some routes."""
        found = self._router.find(scope["method"], scope["path"].rstrip("/"))
        return found[0] if found is not None else _ORDINARY

    def loggable(self, path: str) -> str:
        """Return a path without its secret, and without an API key wherever a client put it by mistake."""
        hidden = self._secrets.sub(r"\1…", path, 1) if self._secrets.match(path) else path
        return _API_KEY.sub("…", hidden)

    def key_in(self, path: str) -> str:
        """Return the API key of a path that has one; empty for any other."""
        found = self._keys.match(path)
        return found[1] if found else ""


def _loosely(prefix: str) -> str:
    """Return a pattern of the beginning of a path, which a client may have written with more slashes."""
    return "/+".join(map(re.escape, prefix.split("/")))


class Gateway:
    """The ASGI application. `most_requests`: under way at once. `flush`: answers that tell of the state pass it."""

    def __init__(
        self,
        routes: Iterable[Route],
        manners: Manners,
        invoker: Invoker,
        console: Console,
        counters: Counters,
        owners: KeyOwners,
        most_requests: int,
        content: StoredContent,
        flush: Flush,
    ) -> None:
        self._router = Router(routes)
        self._manners = manners
        self._counters = counters
        self._invoker = invoker
        self._console = console
        self._owners = owners
        self._requests = FairShares(most_requests)
        self._body_bytes = FairShares(_MAX_BODY_BYTES_IN_FLIGHT)
        self._threads = RequestThreads()
        self._content = content
        self._flush = flush

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        with ExitStack() as shares:  # until the client has taken its answer
            try:
                function, answer = await self._answer(scope, receive, shares)
            except ClientGoneError:
                return  # no function sees a part of a request, nor does one on AWS
            if not await self._content.send(answer, send, partial(self._flush, scope["path"])):
                await send_whole(answer, send, is_head=scope["method"] == "HEAD")
        elapsed_ms = (time.perf_counter() - started) * 1000
        self._counters.add(request_name(function, answer.status))
        self._counters.add(duration_name(function), int(elapsed_ms * 1000))
        level = "error" if answer.status >= 500 else "info"  # noqa: PLR2004 - HTTP's server errors
        path = self._manners.loggable(scope["path"])
        line = f"{scope['method']} {path} {answer.status} {elapsed_ms:.0f} ms"
        kind = f"{scope['method']} {answer.status}"
        self._console.line("http", line.encode("unicode_escape").decode("ascii"), level, kind)

    async def _answer(self, scope: Scope, receive: Receive, shares: ExitStack) -> tuple[str, HttpAnswer]:
        """Return the function, empty for an answer of the gateway itself, and the answer."""
        found = self._router.find(scope["method"], scope["path"])
        if found is None:
            return "", gateway_answer(404, "Not Found")
        route, path_parameters = found
        row = self._manners.of(scope)
        if row.is_health:  # in no share, and it reads no body: no flood takes it away
            context = self._invoker.context(route.function)
            call = partial(self._invoke, route, path_parameters, scope, b"", context)
            return route.function, await self._threads.run(NOBODY, scope, row, context, call, receive)
        owner = await self._owners.owner(scope["headers"], self._manners.key_in(scope["path"]))
        requests = shares.enter_context(self._requests.holding(owner))
        body_bytes = shares.enter_context(self._body_bytes.holding(owner))
        try:
            requests.take(1)
            body = b"" if _is_unread(row, scope) else await _read_body(scope, receive, body_bytes)
        except NoShareError as error:
            return route.function, _TOO_MANY if error.is_own_fault else OVERLOADED
        if body is None:
            return "", gateway_answer(413, "Request Entity Too Large")
        context = self._invoker.context(route.function)
        call = partial(self._invoke, route, path_parameters, scope, body, context)
        # The body of an upload comes later: nobody may look for the client's end in it.
        watched = stay_silent if row.read_max_bytes == 0 else receive
        answer = await self._threads.run(owner, scope, row, context, call, watched)
        answer = await self._content.take(answer, receive, partial(self._flush, scope["path"]))
        body_bytes.add(len(answer.body))
        return route.function, answer

    def _invoke(
        self, route: Route, path_parameters: dict[str, str], scope: Scope, body: bytes, context: LambdaContext
    ) -> HttpAnswer:
        return self._flush(scope["path"], self._call(route, path_parameters, scope, body, context))

    def _call(
        self, route: Route, path_parameters: dict[str, str], scope: Scope, body: bytes, context: LambdaContext
    ) -> HttpAnswer:
        event = to_event(scope, body, route.key, path_parameters)
        if _is_too_large(event):
            return gateway_answer(413, "Request Too Long")
        try:
            result = self._invoker.invoke(route.function, event, context)
            if _is_too_large(result):
                raise ValueError("the answer is over Lambda's 6 MiB")  # noqa: TRY301 - same answer as for the others
            return from_result(result)
        except Exception:  # noqa: BLE001 - the entry point: what Lambda reports as a function error
            self._console.failure("http", route.function)
            return gateway_answer(500, "Internal Server Error")


def _is_too_large(payload: Any) -> bool:
    """Whether the JSON of a payload is over Lambda's limit. A small body is not, however many escapes it needs."""
    text = payload.get("body") if isinstance(payload, dict) else None
    if isinstance(text, str) and len(text) < _SMALL_BODY_CHARS:
        return False
    return len(json.dumps(payload)) > _MAX_PAYLOAD_BYTES


def _content_length(scope: Scope) -> int:
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


def _is_unread(row: ApiRoute[Any], scope: Scope) -> bool:
    most = row.read_max_bytes
    return most is not None and (most == 0 or _content_length(scope) > most)


async def _read_body(scope: Scope, receive: Receive, held: Held) -> bytes | None:
    """Return the whole body, None if it is larger than the gateway takes. Raises ClientGoneError, NoShareError."""
    length = _content_length(scope)
    if length > _MAX_REQUEST_BYTES:
        return None
    held.take(length)
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > _MAX_REQUEST_BYTES:
            return None
        if size > held.amount:  # without a content-length
            held.take(size - held.amount)
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


def _no_route(*_: object) -> Any:
    raise AssertionError("a row that stands for all ordinary ones serves nothing")


_ORDINARY: Final = ApiRoute[Any]("GET ", _no_route, "", "", {})
_TOO_MANY: Final = gateway_answer(429, "Too Many Requests", retry_after_secs=1)
