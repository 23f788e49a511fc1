"""Routes of the console: the page at `/` and its files. They need no key: the page has no data of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from functions.console import files
from functions.errors import NotFoundError

if TYPE_CHECKING:
    from functions.http.resolver import Resolver

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""No inline script or style, no other host, and no HTML from a string. Pictures of a run are blobs of this page."""
_SAFE = {"content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
_PAGE_HEADERS = {**_SAFE, "cache-control": "no-cache", "cross-origin-opener-policy": "same-origin"}
_ICON_HEADERS = {**_SAFE, "cache-control": "public, max-age=86400"}
_FILE_HEADERS = {**_SAFE, "cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}


class ConsoleRoutes:
    """The page and its files."""

    def page(self, app: Resolver) -> Response[str]:
        """Answer with the page."""
        body = files.page(app.current_event.raw_path).decode()
        return Response(status_code=200, content_type="text/html; charset=utf-8", headers=_PAGE_HEADERS, body=body)

    def icon(self, _app: Resolver) -> Response[str]:
        """Answer with the icon, for browsers that show another page of this host."""
        text = (files.FOLDER / files.ICON).read_text("utf-8")
        return Response(status_code=200, content_type=files.TYPES[".svg"], headers=_ICON_HEADERS, body=text)

    def file(self, app: Resolver, version: str, name: str) -> Response[bytes] | Response[str]:
        """Answer with one file, compressed for clients that accept gzip. Raises NotFoundError."""
        if version != files.version() or name not in files.names():
            raise NotFoundError("The console has no such file. After an update of the service, reload the page.")
        path = files.FOLDER / name
        content_type = files.TYPES[path.suffix]
        if "gzip" not in (app.current_event.headers.get("accept-encoding") or ""):
            text = path.read_text("utf-8")
            return Response(status_code=200, content_type=content_type, headers=_FILE_HEADERS, body=text)
        headers = {**_FILE_HEADERS, "content-encoding": "gzip"}
        return Response(status_code=200, content_type=content_type, headers=headers, body=files.compressed(name))
