"""HTTP client of the API: sends keys, retries within limits, and turns errors into messages."""

from __future__ import annotations

import ipaddress
import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import quote, urlsplit

import click
import httpx

from rustbox_cli import VERSION
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.output import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

# Address of the service, and the keys to send.

_DEFAULT_PORT = "4096"
# Public development keys of the local stack. They are sent to this machine only.
_LOCAL_KEYS = {"X-API-Key": "rb_live_local_development_only", "X-Admin-Key": "admin_local_development_only"}
_VARIABLES = {"X-API-Key": "RUSTBOX_API_KEY", "X-Admin-Key": "RUSTBOX_ADMIN_KEY"}

KeyHeader: TypeAlias = Literal["X-API-Key", "X-Admin-Key"]


def default_url() -> str:
    """Return the address of the local stack; `make up` takes its port from PORT too."""
    return f"http://127.0.0.1:{os.environ.get('PORT') or _DEFAULT_PORT}"


@dataclass(frozen=True, slots=True)
class Settings:
    """`url` has no trailing slash. On this machine, a missing key defaults to the local stack's."""

    url: str
    is_local: bool
    api_key: str | None = field(default=None, repr=False)
    admin_key: str | None = field(default=None, repr=False)

    def source(self, header: KeyHeader) -> str:
        """Say where the key of a header comes from, for an error message."""
        given = self.api_key if header == "X-API-Key" else self.admin_key
        if given:
            return f"Check {_VARIABLES[header]}."
        return f"{_VARIABLES[header]} is not set, so the development key was sent. Set it to your key."

    def key(self, header: KeyHeader) -> str:
        """Return the key for a header. Raises CommandError if it is missing or invalid."""
        given = self.api_key if header == "X-API-Key" else self.admin_key
        if given:
            if not (given.isascii() and given.isprintable()):
                raise CommandError(
                    f"{_VARIABLES[header]} contains characters that a key cannot have.", ExitCode.CONFIGURATION
                )
            return given
        if self.is_local:
            return _LOCAL_KEYS[header]
        kind = "API key" if header == "X-API-Key" else "administrator's key"
        raise CommandError(
            f"No {kind} for {self.url}.", ExitCode.CONFIGURATION, f"Set {_VARIABLES[header]} in the environment."
        )


def read_settings(url: str, api_key: str | None, admin_key: str | None, *, allow_http: bool) -> Settings:
    """Check the address and the keys' transport. Raises CommandError."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise CommandError(
            f"{url!r} is not the address of a service.",
            ExitCode.CONFIGURATION,
            "Use an address such as http://127.0.0.1:4096.",
        )
    is_local = _is_loopback(host)
    if parts.scheme == "http" and not (is_local or allow_http):
        raise CommandError(
            f"The connection to {url} is not encrypted, so the key is not sent.",
            ExitCode.CONFIGURATION,
            "Use https, or --allow-http if you trust the network.",
        )
    return Settings(url.rstrip("/"), is_local, api_key or None, admin_key or None)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_READ_SECS = 40  # the service itself answers within 30
_CONNECT_SECS = 5
_MAX_CALLS = 5
_MAX_WAIT_SECS = 60
"""Limit of the total wait between retries."""
_LIMITED = 429
_UNAUTHORIZED = 401
_BUSY = frozenset({_LIMITED, 503})
_JSON = "application/json"
_GOOD = frozenset({200, 202, 408})
_EXITS = {401: ExitCode.NO_PERMISSION, 403: ExitCode.NO_PERMISSION, 404: ExitCode.NOT_FOUND}
_SERVER_ERROR = 500
_PAGE_MAX = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful response."""

    status: int
    raw: bytes = field(repr=False)
    content_type: str = ""

    @property
    def body(self) -> Any:
        """Return the parsed JSON. Raises CommandError."""
        try:
            return json.loads(self.raw)
        except ValueError:
            raise CommandError(
                "The response is not JSON.", ExitCode.FAULT, "Is this address a Rustbox service? See RUSTBOX_URL."
            ) from None


class Api:
    """Calls one service. Retries safe calls if the service is busy or the connection breaks."""

    def __init__(self, settings: Settings, sleep: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._sleep = sleep
        self._client = httpx.Client(
            timeout=httpx.Timeout(_READ_SECS, connect=_CONNECT_SECS),
            trust_env=not settings.is_local,  # a proxy cannot reach this machine
            headers={"user-agent": f"rustbox-cli/{VERSION}"},
        )

    def __enter__(self) -> Api:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def call(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        key: KeyHeader = "X-API-Key",
        query: Mapping[str, str] | None = None,
        body: Any = None,
        idempotency_key: str | None = None,
        repeatable: bool = False,
    ) -> Answer:
        """Send one request; `path`: segments after /api. Raises CommandError unless the response is successful.

        `repeatable`: this POST is idempotent. A POST with an Idempotency-Key always is.
        """
        url = "/".join([self._settings.url, "api", *(quote(part, safe="") for part in path)])
        headers: dict[str, str] = {key: self._settings.key(key)}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        request = self._client.build_request(method, url, params=query, json=body, headers=headers)
        response = self._send(request, may_repeat=method != "POST" or idempotency_key is not None or repeatable)
        if response.status_code not in _GOOD:
            raise _error_of(response, self._settings.source(key))
        return Answer(response.status_code, response.content, response.headers.get("content-type", ""))

    def stored_bytes(self, path: tuple[str, ...]) -> bytes:
        """Get a file or an output, also if the service answers with a link to it. Raises CommandError."""
        answer = self.call("GET", path)
        if answer.content_type.split(";")[0] == _JSON:
            return self.fetch(answer.body["url"])
        return answer.raw

    def relay(self, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """Send a message of another protocol as it is; return the body of the answer, also of an error.

        Raises CommandError when nothing answers.
        """
        headers = {**headers, "content-type": "application/json", "X-API-Key": self._settings.key("X-API-Key")}
        request = self._client.build_request("POST", f"{self._settings.url}{path}", content=body, headers=headers)
        return self._send(request, may_repeat=False).content

    def fetch(self, url: str) -> bytes:
        """Fetch a link that the service gave, without a key. Raises CommandError."""
        response = self._send(self._client.build_request("GET", url), may_repeat=True)
        if response.is_success:
            return response.content
        host = plain(response.url.host)
        raise CommandError(f"{host} answers {response.status_code} to a link of the service.", ExitCode.FAULT)

    def items(
        self, path: tuple[str, ...], most: int | None, query: Mapping[str, str], key: KeyHeader = "X-API-Key"
    ) -> Iterator[Any]:
        """Yield the items of a list, at most `most`; None: all."""
        left, cursor = most, None
        while left is None or left > 0:
            page_query = {**query, "limit": str(min(left or _PAGE_MAX, _PAGE_MAX))}
            page = self.call("GET", path, key=key, query=page_query | ({"cursor": cursor} if cursor else {})).body
            yield from page["items"]
            left, cursor = left if left is None else left - len(page["items"]), page["next_cursor"]
            if cursor is None:
                return

    def _send(self, request: httpx.Request, *, may_repeat: bool) -> httpx.Response:
        waited_secs = 0.0
        response: httpx.Response | None
        for call in range(1, _MAX_CALLS + 1):
            is_last = call == _MAX_CALLS
            try:
                response = self._client.send(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                raise self._unreachable() from None
            except httpx.TransportError as error:
                if is_last or not may_repeat:
                    raise CommandError(
                        f"The connection to {self._settings.url} broke ({type(error).__name__}).",
                        ExitCode.UNREACHABLE,
                        "" if may_repeat else "It may have been done all the same: check before you repeat it.",
                    ) from None
                pause_secs = float(call)
                response = None
            else:
                # A 429 request did nothing. A 503 may come from the gateway while the request is running.
                if response.status_code not in _BUSY or is_last or not (may_repeat or response.status_code == _LIMITED):
                    return response
                pause_secs = _retry_after_secs(response)
                if waited_secs + pause_secs > _MAX_WAIT_SECS:
                    return response
            _announce_wait(response, pause_secs)
            self._sleep(pause_secs)
            waited_secs += pause_secs
        raise AssertionError

    def _unreachable(self) -> CommandError:
        url = self._settings.url
        hint = "Check the address (RUSTBOX_URL) and the network."
        if self._settings.is_local:
            hint = "Start the service with `make up`, or set its address: RUSTBOX_URL=http://127.0.0.1:PORT."
        return CommandError(f"Nothing answers at {url}.", ExitCode.UNREACHABLE, hint)


def _announce_wait(response: httpx.Response | None, secs: float) -> None:
    """Print the reason and the length of a wait on standard error."""
    if response is None:
        reason = "The connection broke"
    elif response.status_code == _LIMITED:
        reason = "A quota of the project is used up"
    else:
        reason = "The service is busy"
    click.echo(f"rustbox: {reason}; trying again in {secs:.0f} s.", err=True)


def _retry_after_secs(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return max(0.2, float(text)) if text.isascii() and text.isdecimal() else 1.0


def _error_of(response: httpx.Response, key_source: str) -> CommandError:
    status = response.status_code
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or "message" not in body:
        return CommandError(
            f"The response ({status}) is not from this API.",
            ExitCode.FAULT,
            "Is this address a Rustbox service? See RUSTBOX_URL.",
        )
    lines = [f"{plain(str(body['message']))} ({status} {plain(str(body.get('error', 'gateway')))})"]
    lines += [
        f"  {plain(str(problem['field']))}: {plain(str(problem['message']))}" for problem in body.get("fields", [])
    ]
    hint = ""
    if status in _BUSY:
        code, hint = ExitCode.BUSY, f"Try again in {_retry_after_secs(response):.0f} s."
    elif status >= _SERVER_ERROR:
        code, hint = ExitCode.FAULT, f"Report the request id: {plain(response.headers.get('x-request-id', 'unknown'))}."
    else:
        code = _EXITS.get(status, ExitCode.REFUSED)
        hint = key_source if status == _UNAUTHORIZED else ""
    return CommandError("\n".join(lines), code, hint)


# Address and keys of the service, shared by all commands.


@dataclass(frozen=True, slots=True)
class Session:
    """Global options of `rustbox`. They are checked on the first call, so that --help always works."""

    url: str
    api_key: str | None
    admin_key: str | None
    allow_http: bool

    def is_local(self) -> bool:
        """Whether the service runs on this machine. Raises CommandError for invalid settings."""
        return read_settings(self.url, self.api_key, self.admin_key, allow_http=self.allow_http).is_local

    def api(self) -> Api:
        """Return a client; the caller closes it. Raises CommandError for invalid settings."""
        return Api(read_settings(self.url, self.api_key, self.admin_key, allow_http=self.allow_http))

    def call(self, method: str, path: tuple[str, ...], body: Any = None, key: KeyHeader = "X-API-Key") -> Any:
        """Make one call with a client of its own; return the body of the answer. Raises CommandError."""
        with self.api() as api:
            return api.call(method, path, key=key, body=body).body

    def items(
        self, path: tuple[str, ...], most: int | None, query: Mapping[str, str | None], key: KeyHeader = "X-API-Key"
    ) -> list[Any]:
        """Return the items of a list, at most `most`; None: all. Parameters that are None are left out of the query."""
        given = {name: value for name, value in query.items() if value is not None}
        with self.api() as api:
            return list(api.items(path, most, given, key))


pass_session = click.make_pass_decorator(Session)
