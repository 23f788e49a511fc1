"""The routes of the console."""

from functions.console.files import TYPES
from functions.console.routes import ConsoleRoutes
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import FAILED, THROTTLED, path
from functions.http.resolver import Route

CONSOLE_ROUTES: tuple[Route[ConsoleRoutes], ...] = (
    Route(
        "GET",
        "/",
        ConsoleRoutes.page,
        "getConsole",
        "The console, a page for people with an API key",
        {200: ("HTML.", ("text/html; charset=utf-8",)), 429: THROTTLED, 500: FAILED},
        security=None,
    ),
    Route(
        "GET",
        "/console/{version}/{name}",
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
        "GET",
        "/favicon.ico",
        ConsoleRoutes.icon,
        "getIcon",
        "The icon of the console",
        {200: ("SVG.", (TYPES[".svg"],)), 429: THROTTLED, 500: FAILED},
        security=None,
    ),
)
"""Not in the document: generators of clients warn of an answer that is a picture."""
