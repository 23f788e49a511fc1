"""What `make up` alone has before the API: it refuses pages of other sites, and serves the documentation at /docs/."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import mimetypes
import re
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from infra.local.http.answers import HttpAnswer, gateway_answer
from infra.local.http.stored_content import send_whole

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from infra.local.console import Console
    from infra.local.http.answers import Receive, Send

_ROOT: Final = "/docs/"
_INLINE_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_OWN_HOSTS: Final = frozenset({"localhost", "host.docker.internal"})
_HOST: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]+))(?::[0-9]*)?")
_OTHER_HOST: Final = (
    "It allows localhost, *.localhost, host.docker.internal and IP addresses: use one of these, "
    "or add the host's name to RUSTBOX_HOSTS and start the service again."
)
_SHOWN_CHARS: Final = 100
_NO_NAME: Final = re.compile(r"/(?:[./]|$)")
"""A part of a path that is empty or begins with a dot."""
_TO_THE_SITE: Final = HttpAnswer(
    HTTPStatus.TEMPORARY_REDIRECT, [("location", _ROOT), ("cache-control", "no-cache")], b""
)

type App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class AllowedHosts:
    """An ASGI application before that of `make up`, whose keys everybody knows: refuses pages of other sites.

    A page can let the name of its site resolve to 127.0.0.1 (DNS rebinding). Then its scripts may read the answers, but
    the browser sends that name as `Host`. Scripts that send to 127.0.0.1 itself read nothing, and the browser tells
    their site as `Origin`. `names`: further allowed hosts, in lower case.
    """

    def __init__(self, names: frozenset[str], console: Console, app: App) -> None:
        self._names = _OWN_HOSTS | names
        self._console = console
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        refusal = self._find_refusal(scope["headers"])
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await send_whole(refusal, send, is_head=scope["method"] == "HEAD")

    def _find_refusal(self, headers: list[tuple[bytes, bytes]]) -> HttpAnswer | None:
        for name, value in headers:
            if name == b"host" and not self._is_allowed(text := value.decode("latin-1")):
                return self._refuse(HTTPStatus.MISDIRECTED_REQUEST, f"requests for the host {_shown(text)}")
            if name == b"origin" and not self._is_allowed((text := value.decode("latin-1")).partition("://")[2]):
                return self._refuse(HTTPStatus.FORBIDDEN, f"requests of pages of {_shown(text)}")
        return None

    def _is_allowed(self, authority: str) -> bool:
        """Whether a host is an IP address, which no page can choose as its name, or an allowed name."""
        found = _HOST.fullmatch(authority.lower())
        if found is None:
            return False
        name = (found[1] or found[2]).removesuffix(".")
        return name in self._names or name.endswith(".localhost") or _is_address(name)

    def _refuse(self, status: HTTPStatus, what: str) -> HttpAnswer:
        self._console.line("http", f"{status.value} for {what}", "warning")
        return gateway_answer(status, f"`make up` refuses {what}. {_OTHER_HOST}")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    """Return a text of a client for logs and answers."""
    return ascii(text[:_SHOWN_CHARS])


class Site:
    """An ASGI application: the documentation that `make site` has built; all other paths from another application.

    A file of the site is served at its own path. `/docs` leads to the site.
    """

    def __init__(self, folder: Path, app: App) -> None:
        self._app = app
        self._folder = folder
        self._built_ns = 0
        self._policy = ""

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        path, is_head = scope["path"], scope["method"] == "HEAD"
        if scope["method"] in {"GET", "HEAD"} and (path == _ROOT[:-1] or path.startswith(_ROOT)):
            found = await asyncio.to_thread(self._find, path)
            if found is not None:
                await send_whole(found, send, is_head=is_head)
                return
        await self._app(scope, receive, send)

    def _find(self, path: str) -> HttpAnswer | None:
        """Return the answer of a path, None if the site has no such file, or is being built."""
        index = self._folder / "index.html"
        try:
            built_ns = index.stat().st_mtime_ns
            if built_ns != self._built_ns:
                self._built_ns, self._policy = built_ns, _policy(index.read_bytes())
            if path == _ROOT[:-1]:
                return _TO_THE_SITE
            name = path.removeprefix(_ROOT) or index.name
            file = (self._folder / name).resolve()
            is_outside = _NO_NAME.search(f"/{name}") or not file.is_relative_to(self._folder.resolve())
            return None if is_outside else self._answer(file)
        except (OSError, ValueError):  # such as of a folder, or of a NUL character
            return None

    def _answer(self, file: Path) -> HttpAnswer:
        headers = [
            ("content-type", _content_type(file)),
            ("content-security-policy", self._policy),
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
        ]
        return HttpAnswer(HTTPStatus.OK, headers, file.read_bytes())


def _content_type(file: Path) -> str:
    found = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


def _policy(page: bytes) -> str:
    """Return the policy of all pages. The theme has inline scripts: the same ones on each page."""
    digests = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE_SCRIPT.findall(page))
    scripts = " ".join(["'self'", *(f"'sha256-{digest}'" for digest in dict.fromkeys(digests))])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
