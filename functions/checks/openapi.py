"""Operations of /api/checks and /api/badges, and the events of checks."""

from typing import Any

from functions.checks import openapi_bodies as bodies
from functions.checks.settings.check_settings import CheckSettings
from functions.checks.settings.model import MAX_CHECKS
from functions.checks.settings.requests import ChangedSettings, InboundEvent, RunNowRequest
from functions.checks.state import State
from functions.http.openapi.bodies import Error, InvalidError
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
    Operation,
    Webhook,
    path,
    query,
)
from functions.webhooks.routes.openapi_events import REPEATED, RESPONSES
from functions.webhooks.vocabulary.event_types import EVENT_CHECK_CHANGED, EVENT_CHECK_MISSED, EVENT_CHECK_RUN

_UNKNOWN: Answer = ("`not_found`: the project has no such check.", (Error,))
_BODY: dict[int, Answer] = {
    **TAKES_BODY,
    400: (
        "`bad_request`: broken JSON, an unsupported language, code or stdin too large, or the id is no UUID.",
        (Error,),
    ),
    422: (
        "`invalid`: fields are missing, unknown or have invalid values; a schedule with a correct example.",
        (InvalidError,),
    ),
    504: NO_RESPONSE,
}
_ONE: dict[int, Answer] = {400: BAD, 404: _UNKNOWN, **KEYED}
_CHANGED: Answer = ("`conflict`: the slug is taken, or other requests keep changing the check.", (Error,))
_SIGNED = "As Standard Webhooks specifies it, with the secret of POST /api/checks/{id}/secret."
_NIGHTLY: dict[str, Any] = {
    "name": "Nightly totals",
    "language": "python",
    "code": "print(sum(range(10)))",
    "schedule": "cron(30 2 * * ? *)",
    "timezone": "Europe/Berlin",
    "assertions": [{"type": "stdout", "equals": "45"}],
}


def _header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": _SIGNED}


_BADGE: dict[int, Answer] = {404: ("`not_found`: no such badge.", (Error,)), **OPEN}

CHECK_OPERATIONS = (
    Operation(
        "/api/checks",
        "POST",
        "createCheck",
        "Create a check: a program that runs by itself",
        {
            200: ("Created, with its next five runs.", (bodies.CheckView,)),
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
    Operation(
        "/api/checks",
        "GET",
        "listChecks",
        "List the project's checks, newest first",
        {200: ("One page.", (bodies.CheckPage,)), 400: BAD, **KEYED},
        (
            query("tag", {"type": "string"}, "Only checks with this tag."),
            query("state", {"enum": list(State)}, "Only checks in this state."),
            query("slug", {"type": "string"}, "Only the check with this slug."),
            *PAGE,
        ),
    ),
    Operation(
        "/api/checks/{id}",
        "GET",
        "getCheck",
        "Show a check",
        {200: ("The check.", (bodies.CheckDetail,)), **_ONE},
        (ID,),
    ),
    Operation(
        "/api/checks/{id}",
        "PATCH",
        "changeCheck",
        "Change a check",
        {200: ("Changed.", (bodies.CheckView,)), **_BODY, 404: _UNKNOWN, 409: _CHANGED},
        (ID,),
        ChangedSettings,
        {"schedule": {"value": {"schedule": "rate(1 hour)"}}, "no reminder": {"value": {"remind_hours": None}}},
    ),
    Operation(
        "/api/checks/{id}",
        "DELETE",
        "deleteCheck",
        "Delete a check",
        {200: ("Deleted.", (bodies.CheckDeleted,)), **_ONE, 409: ("`conflict`: other checks follow it.", (Error,))},
        (ID,),
    ),
    Operation(
        "/api/checks/{id}/run",
        "POST",
        "runCheck",
        "Run a check now",
        {202: ("Queued.", (bodies.CheckRunView,)), **_BODY, 404: _UNKNOWN, 429: LIMITED},
        (ID,),
        RunNowRequest,
        {"run": {"value": {}}, "test": {"value": {"affects_state": False}}},
        body_required=False,
    ),
    Operation(
        "/api/checks/{id}/pause",
        "POST",
        "pauseCheck",
        "Rest the schedule of a check",
        {200: ("Paused.", (bodies.CheckView,)), **_ONE, 409: _CHANGED},
        (ID,),
    ),
    Operation(
        "/api/checks/{id}/resume",
        "POST",
        "resumeCheck",
        "Start the schedule of a check again",
        {200: ("Resumed. Slots of the pause are not missed.", (bodies.CheckView,)), **_ONE, 409: _CHANGED},
        (ID,),
    ),
    Operation(
        "/api/checks/{id}/runs",
        "GET",
        "listCheckRuns",
        "List the runs of a check of the last 90 days, newest first",
        {200: ("One page.", (bodies.CheckRunPage,)), **_ONE},
        (ID, *PAGE),
    ),
    Operation(
        "/api/checks/{id}/secret",
        "POST",
        "replaceInboundSecret",
        "Make the secret of signed calls that run a check",
        {200: ("Made; it replaces the one before.", (bodies.InboundSecret,)), **_ONE},
        (ID,),
    ),
    Operation(
        "/api/checks/{id}/events",
        "POST",
        "receiveEvent",
        "Run a check with an event, in a signed call",
        {
            202: ("Queued; or the run of an earlier call with this webhook-id.", (bodies.CheckRunView,)),
            **_BODY,
            401: ("`unauthorized`: the signature does not fit, or the check has no secret.", (Error,)),
            404: _UNKNOWN,
            429: LIMITED,
        },
        (ID, _header("webhook-id"), _header("webhook-timestamp")),
        InboundEvent,
        {"deployed": {"value": {"type": "deployed", "version": "1.4.2"}}},
        security="Signature",
    ),
    Operation(
        "/api/schemas/checks.json",
        "GET",
        "getChecksSchema",
        "The JSON Schema of checks.yaml, for editors",
        {200: ("JSON Schema, draft 2020-12; cached for an hour.", (bodies.JsonSchema,)), **OPEN},
        security=None,
    ),
    Operation(
        "/api/badges/{name}",
        "GET",
        "getBadge",
        "Show the state of a check as a picture or as JSON",
        {200: ("<token>.svg or <token>.json; cached for 60 s.", (bodies.BadgeView, "image/svg+xml")), **_BADGE},
        (path("name", {"type": "string"}),),
        security=None,
    ),
    Operation(
        "/api/badges/{token}/shields",
        "GET",
        "getShieldsBadge",
        "Show the state of a check to shields.io",
        {200: ("Cached for 60 s.", (bodies.ShieldsBadge,)), **_BADGE},
        (path("token", {"type": "string"}),),
        security=None,
    ),
)
CHECK_WEBHOOKS = {
    EVENT_CHECK_CHANGED: Webhook(
        "checkStateChanged", "A check has another state", REPEATED, bodies.CheckStateChangedEvent, RESPONSES
    ),
    EVENT_CHECK_RUN: Webhook(
        "checkRunCompleted", "A run of a check has ended", REPEATED, bodies.CheckRunCompletedEvent, RESPONSES
    ),
    EVENT_CHECK_MISSED: Webhook(
        "checkRunMissed", "A run of a check did not start", REPEATED, bodies.CheckRunMissedEvent, RESPONSES
    ),
}
