"""The console: the page at `/` and its files, read on first use. They need no key: the page has no data of its own.

Every file has the version in its URL, a hash of all of them. So browsers keep a file for good, and a new deployment is
never mixed with an old one.
"""

import functools
import gzip
import hashlib
import re
from pathlib import Path
from typing import Final

from aws_lambda_powertools.event_handler import Response

from functions.errors import NotFoundError
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import FAILED, THROTTLED, path
from functions.http.resolver import Resolver, Route

FOLDER: Final = Path(__file__).parent / "static"
PAGE: Final = "index.html"
ICON: Final = "icon.svg"
TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Media types of the served files, by the end of their names."""

_BASE = b"BASE/"
"""Stands in the page for the folder of the other files."""
_PRELOADS = b"<!-- modules of the shell -->"
SHELL: Final = "app.js"
_STATIC_IMPORT = re.compile(r'^import [^;]*from "\./([^"]+)";', re.MULTILINE)
_VERSION_CHARS = 16


@functools.cache
def console_version() -> str:
    """Return the version of all files together."""
    digest = hashlib.sha256()
    for file in sorted(FOLDER.iterdir()):
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:_VERSION_CHARS]


def page_of(raw_path: str) -> bytes:
    """Return the page, with addresses relative to the path of its request: `/`, `/prod/` or `/prod`."""
    folder = raw_path.rpartition("/")[2]
    base = f"{folder}/" if folder else ""
    page = (FOLDER / PAGE).read_bytes().replace(_PRELOADS, _preloads())
    return page.replace(_BASE, f"{base}console/{console_version()}/".encode())


@functools.cache
def _preloads() -> bytes:
    """Return links to all modules of the shell, so that a browser asks for them together and not one level a time."""
    found, waiting = {SHELL}, [SHELL]
    while waiting:
        names = set(_STATIC_IMPORT.findall((FOLDER / waiting.pop()).read_text("utf-8"))) - found
        found |= names
        waiting += names
    return b"\n".join(b'<link rel="modulepreload" href="BASE/%s">' % name.encode() for name in sorted(found - {SHELL}))


@functools.cache
def file_names() -> frozenset[str]:
    return frozenset(path.name for path in FOLDER.iterdir() if path.suffix in TYPES)


@functools.cache
def compressed(name: str) -> bytes:
    return gzip.compress((FOLDER / name).read_bytes(), mtime=0)


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
        body = page_of(app.current_event.raw_path).decode()
        return Response(status_code=200, content_type="text/html; charset=utf-8", headers=_PAGE_HEADERS, body=body)

    def icon(self, _app: Resolver) -> Response[str]:
        """Answer with the icon, for browsers that show another page of this host."""
        text = (FOLDER / ICON).read_text("utf-8")
        return Response(status_code=200, content_type=TYPES[".svg"], headers=_ICON_HEADERS, body=text)

    def file(self, app: Resolver, version: str, name: str) -> Response[bytes] | Response[str]:
        """Answer with one file, compressed for clients that accept gzip. Raises NotFoundError."""
        if version != console_version() or name not in file_names():
            raise NotFoundError("The console has no such file. After an update of the service, reload the page.")
        path = FOLDER / name
        content_type = TYPES[path.suffix]
        if "gzip" not in (app.current_event.headers.get("accept-encoding") or ""):
            text = path.read_text("utf-8")
            return Response(status_code=200, content_type=content_type, headers=_FILE_HEADERS, body=text)
        headers = {**_FILE_HEADERS, "content-encoding": "gzip"}
        return Response(status_code=200, content_type=content_type, headers=headers, body=compressed(name))


CONSOLE_ROUTES: tuple[Route[ConsoleRoutes], ...] = (
    Route(
        "GET /",
        ConsoleRoutes.page,
        "getConsole",
        "The console, a page for people with an API key",
        {200: ("HTML.", ("text/html; charset=utf-8",)), 429: THROTTLED, 500: FAILED},
        security=None,
    ),
    Route(
        "GET /console/{version}/{name}",
        ConsoleRoutes.file,
        "getConsoleFile",
        "A file of the console",
        {
            200: ("A module, style sheet or picture.", tuple(TYPES.values())),
            404: ("`not_found`: no such file, or of another version.", (Error,)),
            429: THROTTLED,
            500: FAILED,
        },
        parameters=(path("version", {"type": "string"}), path("name", {"type": "string"})),
        security=None,
    ),
)
ICON_ROUTES: tuple[Route[ConsoleRoutes], ...] = (
    Route(
        "GET /favicon.ico",
        ConsoleRoutes.icon,
        "getIcon",
        "The icon of the console",
        {200: ("SVG.", (TYPES[".svg"],)), 429: THROTTLED, 500: FAILED},
        security=None,
    ),
)
"""Not in the document: generators of clients warn of an answer that is a picture."""
