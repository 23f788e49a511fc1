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
_VERSION_CHARS = 16


@functools.cache
def console_version() -> str:
    """Return the version of all files together, and of this module, which joins them."""
    digest = hashlib.sha256()
    for file in (Path(__file__), *sorted(FOLDER.iterdir())):
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:_VERSION_CHARS]


def page_of(raw_path: str) -> bytes:
    """Return the page, with addresses relative to the path of its request: `/`, `/prod/` or `/prod`."""
    folder = raw_path.rpartition("/")[2]
    base = f"{folder}/" if folder else ""
    return (FOLDER / PAGE).read_bytes().replace(_BASE, f"{base}console/{console_version()}/".encode())


# The modules, joined: a script of the shell, and one of each view with the modules that the shell lacks. So a browser
# waits for the page, the shell and the view, and not for each level of imports. Nobody builds anything.

SHELL: Final = "app.js"
START: Final = "start.js"
"""Asks for the view before the shell is there, so it stays alone."""
_IMPORT = re.compile(r'^import (.+) from "\./([^"]+)";$', re.MULTILINE)
_LATE_IMPORT = re.compile(r'\bimport\("\./([^"]+)"\)')
_EXPORT = re.compile(r"\bexport (default )?((?:async )?function|class|const) ?(\w*)|\bexport ?\{([^}]*)\};")
"""A declaration, or a list of names. Minified modules have theirs within a line."""
_DESCRIPTION = re.compile(r"^ */\*\*.*?\*/\n", re.MULTILINE | re.DOTALL)
"""Comments that are read where they are written: a tenth of the shell."""


@functools.cache
def _source(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


@functools.cache
def _needed(name: str) -> tuple[str, ...]:
    """Return the names of the modules that a module imports, each behind its own imports, and its own name last."""
    early = (each for _, other in _IMPORT.findall(_source(name)) for each in _needed(other))
    return tuple(dict.fromkeys((*early, name)))


@functools.cache
def scripts() -> frozenset[str]:
    """Return the modules that a browser asks for: that of the shell, and those that others import late."""
    sources = (_source(path.name) for path in FOLDER.glob("*.js"))
    return frozenset([SHELL, *(name for source in sources for name in _LATE_IMPORT.findall(source))])


@functools.cache
def joined(name: str) -> str:
    """Return the script of the shell or of a view, one module behind the other."""
    if name == SHELL:
        return "".join(["export const modules = {};\n", *map(_scoped, _needed(SHELL))])
    rest = [each for each in _needed(name) if each not in _needed(SHELL)]
    head = f'import {{ modules }} from "./{SHELL}";\n'
    return "".join([head, *map(_scoped, rest), f'export default modules["{name}"].default;\n'])


def _scoped(name: str) -> str:
    """Return a module as a function that runs once in a page. Its exports are in `modules`, for all scripts."""
    exports: dict[str, str] = {}

    def declare(found: re.Match[str]) -> str:
        default, kind, own, names = found.groups()
        if names is None:
            exports["default" if default else own] = own or "unnamed"
            return f"{kind} {own}" if own else f"const unnamed = {kind}"
        for each in names.split(","):
            local, _, public = each.strip().partition(" as ")
            exports[public or local] = local
        return ""

    def take(found: re.Match[str]) -> str:
        names = found[1] if found[1].startswith("{") else f"{{ default: {found[1]} }}"
        return f'const {names.replace(" as ", ": ")} = modules["{found[2]}"];'

    text = _EXPORT.sub(declare, _IMPORT.sub(take, _DESCRIPTION.sub("", _source(name))))
    given = ", ".join(f"{public}: {local}" for public, local in exports.items())
    return f'modules["{name}"] ??= (() => {{\n{text}\nreturn {{ {given} }};\n}})();\n'


@functools.cache
def file_names() -> frozenset[str]:
    """Return what is served beside the page."""
    return (
        scripts() | {START} | {path.name for path in FOLDER.iterdir() if path.suffix in TYPES and path.suffix != ".js"}
    )


def text_of(name: str) -> str:
    """Return one of these files."""
    return joined(name) if name in scripts() else _source(name)


@functools.cache
def compressed(name: str) -> bytes:
    return gzip.compress(text_of(name).encode(), mtime=0)


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
        return Response(status_code=200, content_type=TYPES[".svg"], headers=_ICON_HEADERS, body=_source(ICON))

    def file(self, app: Resolver, version: str, name: str) -> Response[bytes] | Response[str]:
        """Answer with one file, compressed for clients that accept gzip. Raises NotFoundError."""
        if version != console_version() or name not in file_names():
            raise NotFoundError("The console has no such file. After an update of the service, reload the page.")
        content_type = TYPES[Path(name).suffix]
        if "gzip" not in (app.current_event.headers.get("accept-encoding") or ""):
            return Response(status_code=200, content_type=content_type, headers=_FILE_HEADERS, body=text_of(name))
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
