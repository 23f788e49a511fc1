"""The API of signed calls: secrets of checks, calls that start runs, and the log."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypedDict

from aws_lambda_powertools.event_handler import Response
from pydantic import Field

from functions.checks.api import BODY_ANSWERS, IS_HEARTBEAT, NO_CHECK, NO_PROGRAM, ONE_ANSWERS, own_check
from functions.checks.calls.log import CallLog, CallOutcome, LoggedCall
from functions.checks.calls.receiving import Inbound
from functions.checks.calls.secret import (
    HookStore,
    InboundVerification,
    VerificationView,
    parse_verification,
    replace_secret,
    verification_view,
)
from functions.checks.run_api import CheckRunView, run_view
from functions.checks.runs.hints import CheckHints
from functions.env import Env
from functions.errors import (
    ConflictError,
    TooLargeError,
)
from functions.http.answers import answer
from functions.http.http_event import json_body, raw_body
from functions.http.openapi.bodies import Error, GatewayError, Time, Uuid
from functions.http.openapi.operation import ID, LIMITED, NO_RESPONSE, OPEN, path
from functions.http.parameters import uuid
from functions.http.resolver import Resolver, Route
from functions.projects.changes import Change, record
from functions.submissions.accept.requests import STDIN_MAX_BYTES


class InboundSecret(TypedDict):
    """A new inbound secret. No other response shows it."""

    secret: str
    url: str
    verification: VerificationView


class IgnoredCall(TypedDict):
    """A genuine call that runs nothing: it does not fit `events` or `match`."""

    status: Literal["ignored"]
    reason: str


class SlackChallenge(TypedDict):
    """The answer to a `url_verification` of Slack."""

    challenge: str


class InboundCall(TypedDict):
    """One call. Id and type of its event are empty for a call that is not genuine."""

    id: Annotated[str, Field(description="For POST /api/checks/{id}/calls/{call}/run.")]
    at: Time
    outcome: CallOutcome
    reason: str
    event_id: str
    event_type: str
    run_id: Uuid | None
    size_bytes: int


class InboundCalls(TypedDict):
    """The last 20 genuine calls and the last 20 refused ones of seven days, newest first."""

    url: str
    verification: Annotated[VerificationView | None, Field(description="None: the check has no secret yet.")]
    items: list[InboundCall]


@dataclass(frozen=True, slots=True)
class InboundRoutes:
    """Handlers of inbound events. All of them raise ServiceError."""

    env: Env

    def new_secret(self, app: Resolver, id_text: str) -> Response[str]:
        check = own_check(self.env, app, id_text)
        if check.settings.is_heartbeat:
            raise ConflictError(NO_PROGRAM)
        request = parse_verification(json_body(app.current_event) if app.current_event.body else b"")
        change = Change(check.project_id, "check.secret_replaced", check.check_id)
        secret = record(self.env, app.current_event, change, partial(replace_secret, self.env, check, request))
        self.env.log.info("Inbound secret of a check replaced", **check.log_ids, request_id=app.request_id)
        body: InboundSecret = {
            "secret": secret,
            "url": _url_of(check.check_id),
            "verification": verification_view(request.verification),
        }
        return answer(body)

    def receive(self, app: Resolver, id_text: str) -> Response[str]:
        """Run a check with a signed call. A repeat with the same id answers with the first run."""
        check_id, calls = uuid(id_text), self.env[Inbound]
        try:
            body = raw_body(app.current_event, STDIN_MAX_BYTES)
        except TooLargeError as error:
            calls.refuse(check_id, error.message)
            raise
        received = calls.receive(check_id, app.current_event.headers, body)
        if received.challenge is not None:
            challenge: SlackChallenge = {"challenge": received.challenge}
            return answer(challenge)
        if received.run is not None and (received.is_new or received.run.is_waiting):
            self.env[CheckHints].try_send(received.run)  # of a repeat too: that of the first call may be lost
        if received.is_new and received.run is not None:
            ids = received.run.log_ids
            self.env.log.info("Check run requested by an event", **ids, request_id=app.request_id)
        if received.is_form:  # Slack shows its user the body, and each other status as a failure
            return Response(status_code=200, content_type="text/plain", body="")
        if received.run is None:
            ignored: IgnoredCall = {"status": "ignored", "reason": received.reason}
            return answer(ignored, 202)
        return answer(run_view(received.run), 202)

    def calls(self, app: Resolver, id_text: str) -> Response[str]:
        check = own_check(self.env, app, id_text)
        hook = self.env[HookStore].get(check.check_id)
        body: InboundCalls = {
            "url": _url_of(check.check_id),
            "verification": None if hook is None else verification_view(hook.verification),
            "items": [_call_view(call) for call in self.env[CallLog].latest(check.check_id)],
        }
        return answer(body)

    def run_again(self, app: Resolver, id_text: str, call_id: str) -> Response[str]:
        check = own_check(self.env, app, id_text)
        run = self.env[Inbound].run_again(check, call_id)
        self.env[CheckHints].try_send(run)
        self.env.log.info("Check run requested: a call again", **run.log_ids, request_id=app.request_id)
        return answer(run_view(run), 202)


def _call_view(call: LoggedCall) -> InboundCall:
    return {
        "id": call.call_id,
        "at": call.at,
        "outcome": call.outcome,
        "reason": call.reason,
        "event_id": call.event_id,
        "event_type": call.event_type,
        "run_id": call.run_id,
        "size_bytes": call.size_bytes,
    }


def _url_of(check_id: str) -> str:
    return f"/api/checks/{check_id}/events"


_SIGNED = "Only with `standard`, or as `svix-…`. Each scheme of POST /api/checks/{id}/secret has headers of its own."


def _header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": _SIGNED}


INBOUND_ROUTES: tuple[Route[InboundRoutes], ...] = (
    Route(
        "POST /api/checks/{id}/secret",
        InboundRoutes.new_secret,
        "replaceInboundSecret",
        "Set how signed calls that run a check are verified",
        {
            200: ("Set; it replaces the secret before.", (InboundSecret,)),
            **BODY_ANSWERS,
            404: NO_CHECK,
            409: IS_HEARTBEAT,
        },
        (ID,),
        InboundVerification,
        {
            "standard": {"value": {}},
            "github": {"value": {"verify": "github"}},
            "stripe": {"value": {"verify": "stripe", "secret": "whsec_copied1from2the3endpoint"}},
            "hmac": {"value": {"verify": "hmac", "header": "X-Signature", "prefix": "sha256="}},
        },
        body_required=False,
        rights=("checks",),
    ),
    Route(
        "GET /api/checks/{id}/calls",
        InboundRoutes.calls,
        "listInboundCalls",
        "List the last signed calls of a check with their outcomes",
        {200: ("The last calls.", (InboundCalls,)), **ONE_ANSWERS},
        (ID,),
        rights=("read", "checks"),
    ),
    Route(
        "POST /api/checks/{id}/calls/{call}/run",
        InboundRoutes.run_again,
        "runInboundCallAgain",
        "Run a signed call of the log",
        {
            202: ("Queued.", (CheckRunView,)),
            **ONE_ANSWERS,
            404: ("`not_found`: the project has no such check, or its body is not kept any more.", (Error,)),
            422: BODY_ANSWERS[422],
            429: LIMITED,
        },
        (ID, path("call", {"type": "string"}, "The `id` of a call with the outcome `ran` or `ignored`.")),
        rights=("checks",),
    ),
    Route(
        "POST /api/checks/{id}/events",
        InboundRoutes.receive,
        "receiveEvent",
        "Run a check in a signed call",
        {
            200: ("Slack checks the URL; empty: it posted a form.", (SlackChallenge, "text/plain")),
            202: ("Queued, the run of an earlier call with this id, or ignored.", (CheckRunView, IgnoredCall)),
            400: BODY_ANSWERS[400],
            401: ("`unauthorized`: the signature does not fit, or the check has no secret.", (Error,)),
            404: NO_CHECK,
            413: ("`too_large`: the body is over 256 KiB. Over 6 MB the gateway refuses it.", (Error, GatewayError)),
            422: BODY_ANSWERS[422],
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
