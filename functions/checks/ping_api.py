"""The routes of pings."""

from typing import Final

from functions.checks.ping_routes import PingRoutes
from functions.checks.views import PingUrl
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import BAD, ID, KEYED, OPEN, Answer, path
from functions.http.route import Method, Route

_UNKNOWN: Answer = ("`not_found`: the project has no such check, or no such body is kept.", (Error,))
_TOKEN = path("token", {"type": "string"}, "That of POST /api/checks/{id}/ping-url.")
_WORD = path("word", {"type": "string"}, "`start`, `fail`, or the exit code of the job, 0 to 255.")
_TAKEN: dict[int, Answer] = {
    200: ("`OK`, or `OK (not counted)`: unknown token, paused check, or over ten pings in a minute.", ("text/plain",)),
    404: ("`not_found`: the last part is no word of a ping.", (Error,)),
    **OPEN,
}
_METHODS: Final[tuple[Method, ...]] = ("GET", "HEAD", "POST")

PING_ROUTES: tuple[Route[PingRoutes], ...] = (
    Route(
        "POST",
        "/api/checks/{id}/ping-url",
        PingRoutes.new_url,
        "replacePingUrl",
        "Make the address of a heartbeat's pings",
        {
            200: ("Made; it replaces the one before. No other response shows it.", (PingUrl,)),
            400: BAD,
            404: _UNKNOWN,
            409: ("`conflict`: the check is no heartbeat, or other requests keep changing it.", (Error,)),
            **KEYED,
        },
        (ID,),
    ),
    Route(
        "GET",
        "/api/checks/{id}/pings/{number}",
        PingRoutes.body,
        "getPingBody",
        "Show the body of a ping",
        {200: ("As it came, up to 10 KiB.", ("text/plain; charset=utf-8",)), 400: BAD, 404: _UNKNOWN, **KEYED},
        (ID, path("number", {"type": "integer"})),
    ),
    *(
        Route(
            method,
            "/api/pings/{token}",
            PingRoutes.take,
            f"{method.lower()}Ping",
            "Report that a job has succeeded",
            _TAKEN,
            (_TOKEN,),
            security=None,
            has_secret=True,
        )
        for method in _METHODS
    ),
    *(
        Route(
            method,
            "/api/pings/{token}/{word}",
            PingRoutes.take,
            f"{method.lower()}PingWord",
            "Report that a job has started or ended",
            _TAKEN,
            (_TOKEN, _WORD),
            security=None,
            has_secret=True,
        )
        for method in _METHODS
    ),
)
