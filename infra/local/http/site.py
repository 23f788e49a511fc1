"""The documentation at /docs/ of `make up`, if `make site` has built it before the start."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import mimetypes
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from infra.local.http.http_event import HttpAnswer, gateway_answer
from infra.local.http.stored_content import send_whole

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_ROOT: Final = "/docs/"
_INLINE_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)

type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]
type App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class Site:
    """An ASGI application: files of a folder, and all other paths from another application.

    Only files that were there at the start are served, each at its own path.
    """

    def __init__(self, folder: Path, app: App) -> None:
        self._app = app
        self._files = {
            _ROOT + file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()
        }
        if index := self._files.get(f"{_ROOT}index.html"):
            self._files[_ROOT] = index
        self._policy = _policy(index.read_bytes() if index else b"")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        file = self._files.get(scope["path"])
        if file is None or scope["method"] not in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        await send_whole(await asyncio.to_thread(self._answer, file), send, is_head=scope["method"] == "HEAD")

    def _answer(self, file: Path) -> HttpAnswer:
        try:
            body = file.read_bytes()
        except OSError:  # the site is being built again
            return gateway_answer(HTTPStatus.NOT_FOUND, "Not Found")
        headers = [
            ("content-type", _content_type(file)),
            ("content-security-policy", self._policy),
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
        ]
        return HttpAnswer(HTTPStatus.OK, headers, body)


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
