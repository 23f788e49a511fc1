"""The routes of /api/checks, /api/badges and /api/quiet-times."""

from typing import Any, Final

from functions.checks.events.signatures import InboundVerification
from functions.checks.routes import CheckRoutes, QuietRoutes
from functions.checks.run_routes import CheckRunRoutes, InboundRoutes, PingRoutes
from functions.checks.settings.check_settings import CheckSettings, TagQuietTimes
from functions.checks.settings.file_schema import JsonSchema
from functions.checks.settings.model import MAX_CHECKS
from functions.checks.settings.requests import ChangedSettings, RunNowRequest
from functions.checks.state import State
from functions.checks.status_api import BadgeRoutes
from functions.checks.status_pages.badge import BadgeView, ShieldsBadge
from functions.checks.views import (
    CheckDeleted,
    CheckDetail,
    CheckOutages,
    CheckPage,
    CheckRunPage,
    CheckRunView,
    CheckView,
    IgnoredCall,
    InboundCalls,
    InboundSecret,
    PingUrl,
    ScheduleTimes,
    SlackChallenge,
    TagQuietTimesView,
)
from functions.http.openapi.bodies import Error, GatewayError, InvalidError, RefusedError
from functions.http.openapi.operation import (
    BAD,
    ID,
    KEYED,
    LIMITED,
    NO_RESPONSE,
    OPEN,
    PAGE,
    TAKES_BODY,
    Answer,
    path,
    query,
)
from functions.http.resolver import Method, Route
from functions.submissions.accept.requests import STDIN_MAX_BYTES

_NO_PROGRAM: Answer = ("`conflict`: a heartbeat has no program.", (Error,))
_UNKNOWN: Answer = ("`not_found`: the project has no such check.", (Error,))
_BODY: dict[int, Answer] = {
    **TAKES_BODY,
    403: ("`forbidden`: the project may not reach a host that `network` names.", (RefusedError,)),
    400: (
        "`bad_request`: broken JSON, an unsupported language, code or stdin too large, or the id is no UUID.",
        (RefusedError,),
    ),
    422: (
        "`invalid`: fields are missing, unknown or have invalid values; a schedule with a correct example.",
        (InvalidError,),
    ),
    504: NO_RESPONSE,
}
_ONE: dict[int, Answer] = {400: BAD, 404: _UNKNOWN, **KEYED}
_CHANGED: Answer = ("`conflict`: the slug is taken, or other requests keep changing the check.", (Error,))
_SIGNED = "Only with `standard`. Each scheme of POST /api/checks/{id}/secret has headers of its own."
_NIGHTLY: dict[str, Any] = {
    "name": "Nightly totals",
    "language": "python",
    "code": "print(sum(range(10)))",
    "schedule": "cron(30 2 * * ? *)",
    "timezone": "Europe/Berlin",
    "assertions": [{"type": "stdout", "equals": "45"}],
}


def _header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": _SIGNED}


_BADGE: dict[int, Answer] = {404: ("`not_found`: no such badge.", (Error,)), **OPEN}

CHECK_ROUTES: tuple[Route[CheckRoutes], ...] = (
    Route(
        "POST",
        "/api/checks",
        CheckRoutes.create,
        "createCheck",
        "Create a check: a program that runs by itself",
        {
            200: ("Created, with its next five runs.", (CheckView,)),
            **_BODY,
            409: (f"`conflict`: the slug is taken, or the project has {MAX_CHECKS} checks.", (Error,)),
        },
        request=CheckSettings,
        examples={
            "nightly": {"value": _NIGHTLY},
            "every five minutes": {
                "value": {"name": "Probe", "language": "python", "code": "print('ok')", "schedule": "rate(5 minutes)"}
            },
        },
    ),
    Route(
        "GET",
        "/api/checks",
        CheckRoutes.page,
        "listChecks",
        "List the project's checks, newest first",
        {200: ("One page.", (CheckPage,)), 400: BAD, **KEYED},
        (
            query("tag", {"type": "string"}, "Only checks with this tag."),
            query("state", {"enum": list(State)}, "Only checks in this state."),
            query("slug", {"type": "string"}, "Only the check with this slug."),
            *PAGE,
        ),
    ),
    Route(
        "GET",
        "/api/checks/{id}",
        CheckRoutes.one,
        "getCheck",
        "Show a check",
        {200: ("The check.", (CheckDetail,)), **_ONE},
        (ID,),
    ),
    Route(
        "PATCH",
        "/api/checks/{id}",
        CheckRoutes.change,
        "changeCheck",
        "Change a check",
        {200: ("Changed.", (CheckView,)), **_BODY, 404: _UNKNOWN, 409: _CHANGED},
        (ID,),
        ChangedSettings,
        {"schedule": {"value": {"schedule": "rate(1 hour)"}}, "no reminder": {"value": {"remind_hours": None}}},
    ),
    Route(
        "DELETE",
        "/api/checks/{id}",
        CheckRoutes.delete,
        "deleteCheck",
        "Delete a check",
        {200: ("Deleted.", (CheckDeleted,)), **_ONE, 409: ("`conflict`: other checks follow it.", (Error,))},
        (ID,),
    ),
    Route(
        "POST",
        "/api/checks/{id}/pause",
        CheckRoutes.pause,
        "pauseCheck",
        "Rest the schedule of a check",
        {200: ("Paused.", (CheckView,)), **_ONE, 409: _CHANGED},
        (ID,),
    ),
    Route(
        "POST",
        "/api/checks/{id}/resume",
        CheckRoutes.resume,
        "resumeCheck",
        "Start the schedule of a check again",
        {200: ("Resumed. Times of the pause are not missed.", (CheckView,)), **_ONE, 409: _CHANGED},
        (ID,),
    ),
    Route(
        "GET",
        "/api/schedules",
        CheckRoutes.schedule_times,
        "getScheduleTimes",
        "Show the next times of a schedule",
        {
            200: ("The next five.", (ScheduleTimes,)),
            422: ("`invalid`: the schedule or the time zone, with a correct example.", (InvalidError,)),
            **KEYED,
        },
        (
            query("schedule", {"type": "string"}, "As of a check."),
            query("timezone", {"type": "string", "default": "UTC"}, "IANA time zone."),
        ),
    ),
    Route(
        "GET",
        "/api/schemas/checks.json",
        CheckRoutes.schema,
        "getChecksSchema",
        "The JSON Schema of checks.yaml, for editors",
        {200: ("JSON Schema, draft 2020-12; cached for an hour.", (JsonSchema,)), **OPEN},
        security=None,
    ),
)
RUN_ROUTES: tuple[Route[CheckRunRoutes], ...] = (
    Route(
        "POST",
        "/api/checks/{id}/run",
        CheckRunRoutes.run,
        "runCheck",
        "Run a check now",
        {
            202: ("Queued.", (CheckRunView,)),
            **_BODY,
            404: _UNKNOWN,
            409: _NO_PROGRAM,
            429: LIMITED,
        },
        (ID,),
        RunNowRequest,
        {"run": {"value": {}}, "test": {"value": {"affects_state": False}}},
        body_required=False,
    ),
    Route(
        "GET",
        "/api/checks/{id}/runs",
        CheckRunRoutes.history,
        "listCheckRuns",
        "List the runs of a check of the last 90 days, newest first",
        {200: ("One page.", (CheckRunPage,)), **_ONE},
        (ID, *PAGE),
    ),
    Route(
        "GET",
        "/api/checks/{id}/outages",
        CheckRunRoutes.outages,
        "listCheckOutages",
        "List the outages of a check of the last 90 days, newest first",
        {200: ("The latest 100, and the one that lasts.", (CheckOutages,)), **_ONE},
        (ID,),
    ),
)
INBOUND_ROUTES: tuple[Route[InboundRoutes], ...] = (
    Route(
        "POST",
        "/api/checks/{id}/secret",
        InboundRoutes.new_secret,
        "replaceInboundSecret",
        "Set how signed calls that run a check are verified",
        {200: ("Set; it replaces the secret before.", (InboundSecret,)), **_BODY, 404: _UNKNOWN, 409: _NO_PROGRAM},
        (ID,),
        InboundVerification,
        {
            "standard": {"value": {}},
            "github": {"value": {"verify": "github"}},
            "stripe": {"value": {"verify": "stripe", "secret": "whsec_copied1from2the3endpoint"}},
            "hmac": {"value": {"verify": "hmac", "header": "X-Signature", "prefix": "sha256="}},
        },
        body_required=False,
    ),
    Route(
        "GET",
        "/api/checks/{id}/calls",
        InboundRoutes.calls,
        "listInboundCalls",
        "List the last signed calls of a check with their outcomes",
        {200: ("The last calls.", (InboundCalls,)), **_ONE},
        (ID,),
    ),
    Route(
        "POST",
        "/api/checks/{id}/events",
        InboundRoutes.receive,
        "receiveEvent",
        "Run a check in a signed call",
        {
            200: ("Slack checks the URL.", (SlackChallenge,)),
            202: ("Queued, the run of an earlier call with this id, or ignored.", (CheckRunView, IgnoredCall)),
            400: _BODY[400],
            401: ("`unauthorized`: the signature does not fit, or the check has no secret.", (Error,)),
            404: _UNKNOWN,
            413: ("`too_large`: the body is over 256 KiB. Over 6 MB the gateway refuses it.", (Error, GatewayError)),
            422: _BODY[422],
            **OPEN,
            429: LIMITED,
            504: NO_RESPONSE,
        },
        (ID, *map(_header, ("webhook-id", "webhook-timestamp"))),
        "application/octet-stream",
        security="Signature",
        read_max_bytes=STDIN_MAX_BYTES,  # anybody may send one, and the function refuses it by its length
    ),
)
BADGE_ROUTES: tuple[Route[BadgeRoutes], ...] = (
    Route(
        "GET",
        "/api/badges/{name}",
        BadgeRoutes.file,
        "getBadge",
        "Show the state of a check as a picture or as JSON",
        {200: ("<token>.svg or <token>.json; cached for 60 s.", (BadgeView, "image/svg+xml")), **_BADGE},
        (path("name", {"type": "string"}),),
        security=None,
    ),
    Route(
        "GET",
        "/api/badges/{token}/shields",
        BadgeRoutes.shields,
        "getShieldsBadge",
        "Show the state of a check to shields.io",
        {200: ("Cached for 60 s.", (ShieldsBadge,)), **_BADGE},
        (path("token", {"type": "string"}),),
        security=None,
    ),
)
QUIET_ROUTES: tuple[Route[QuietRoutes], ...] = (
    Route(
        "GET",
        "/api/quiet-times",
        QuietRoutes.show,
        "getQuietTimes",
        "Show the quiet times of the project's tags",
        {200: ("By tag.", (TagQuietTimesView,)), **KEYED},
    ),
    Route(
        "PUT",
        "/api/quiet-times",
        QuietRoutes.put,
        "putQuietTimes",
        "Replace the quiet times of the project's tags",
        {200: ("By tag.", (TagQuietTimesView,)), 400: BAD, **TAKES_BODY},
        request=TagQuietTimes,
        examples={
            "maintenance": {"value": {"tags": {"database": [{"schedule": "cron(0 2 ? * SUN *)", "minutes": 120}]}}}
        },
    ),
)


_UNKNOWN_PING: Answer = ("`not_found`: the project has no such check, or no such body is kept.", (Error,))
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
            404: _UNKNOWN_PING,
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
        {200: ("As it came, up to 10 KiB.", ("text/plain; charset=utf-8",)), 400: BAD, 404: _UNKNOWN_PING, **KEYED},
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
