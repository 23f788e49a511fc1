"""Inbound calls: a signed call starts a run of its check. Their secrets, their log, and their API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, TypedDict

from aws_lambda_powertools.event_handler import Response
from pydantic import Field

from functions.aws.payloads import PayloadMissingError, Payloads
from functions.checks import keys
from functions.checks.api import BODY_ANSWERS, IS_HEARTBEAT, NO_CHECK, NO_PROGRAM, ONE_ANSWERS, own_check
from functions.checks.assertions import is_equal, parse_path, read_document, value_at
from functions.checks.run_api import CheckRunView, run_view
from functions.checks.runs.hints import CheckHints
from functions.checks.runs.signatures import (
    Call,
    CallName,
    InboundVerification,
    NotGenuineError,
    Scheme,
    Verification,
    VerificationView,
    name_of,
    parse_verification,
    slack_fields,
    verification_view,
    verify,
)
from functions.checks.runs.start import (
    CallLog,
    CallOutcome,
    EventStore,
    Hook,
    LoggedCall,
    count_request,
    event_variables,
    open_secret,
    replace_secret,
)
from functions.checks.runs.store import Run, RunKind, RunStore, SignedCall, commit_of, new_run
from functions.checks.settings.check_settings import CheckSettings
from functions.checks.settings.requests import object_of
from functions.checks.settings.store import Check, CheckStore
from functions.checks.settings.triggers import CALL_VARIABLES_MAX_BYTES, EventAs, event_text, field_problem
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.env import Env
from functions.errors import (
    ConflictError,
    FieldProblem,
    InvalidFieldsError,
    NotFoundError,
    ServiceError,
    TooLargeError,
    UnauthorizedError,
)
from functions.http.answers import answer
from functions.http.http_event import json_body, raw_body
from functions.http.openapi.bodies import Error, GatewayError, Time, Uuid
from functions.http.openapi.operation import ID, LIMITED, NO_RESPONSE, OPEN, path
from functions.http.parameters import uuid
from functions.http.resolver import Resolver, Route
from functions.ids import new_id
from functions.submissions.accept.requests import STDIN_MAX_BYTES
from functions.submissions.model import INLINE_INPUT_MAX_BYTES

# Which calls run a check: those with one of its `events`, and with the values of its `match`. Pure.


def reason_to_ignore(settings: CheckSettings, event_type: str, document: Any) -> str | None:
    """Return why a call runs nothing; None if it runs the check. `document`: MISSING for a body that is not JSON."""
    if settings.events and not any(_names(event, event_type) for event in settings.events):
        return f"{event_type or 'a call without a type'} is not among events"
    for place, value in settings.match.items():
        if not is_equal(value_at(document, parse_path(place)), value):
            return f"{place} has another value than in match"
    return None


def _names(event: str, event_type: str) -> bool:
    """Whether an entry of `events` names a type: `pull_request` names `pull_request.opened` too."""
    return event_type == event or event_type.startswith(f"{event}.")


# The run that a signed call starts, with the data for its program.


def run_of(check: Check, scheme: Scheme, name: CallName, body: bytes, document: Any, now_ms: int) -> Run:
    """Return the run of a call. `document`: its body if that is JSON.

    Raises BadRequestError, InvalidFieldsError for a body that does not fit into a variable.
    """
    signed = SignedCall(scheme=scheme.value, event_id=name.event_id, event_type=name.event_type)
    reason = f"signed call {' '.join(filter(None, name[::-1]))}"
    run = replace(new_run(check, RunKind.EVENT, now_ms, now_ms, new_id()), reason=reason, call=signed)
    if scheme is Scheme.GITHUB:
        run = replace(run, commit=commit_of(name.event_type, document))
    if scheme is not Scheme.STANDARD or check.settings.event_as is EventAs.STDIN:
        return replace(run, call=replace(signed, body=body))
    event = event_text(object_of(body))
    if (problem := field_problem(event, check.settings.event_as, "body")) is not None:
        raise InvalidFieldsError((problem,))
    run = replace(run, event=event)
    variables = json.dumps(event_variables(check.settings, run), ensure_ascii=False, separators=(",", ":"))
    if len(variables.encode()) > CALL_VARIABLES_MAX_BYTES:
        text = f"Body, webhook-id and type have more than {CALL_VARIABLES_MAX_BYTES:,} bytes: set event_as to stdin."
        raise InvalidFieldsError((FieldProblem("body", text),))
    return run


IN_ROW_MAX_BYTES = 65_536
"""A larger body goes through the bucket."""
_NOT_SIGNED = (
    "The call is not signed as its check requires it, with the secret of POST /api/checks/{id}/secret. "
    "GET /api/checks/{id}/calls says why."
)
_NO_CALL = "No such call ran in the last seven days, or its input is gone: RetentionDays are over."


@dataclass(frozen=True, slots=True)
class Received:
    """A genuine call. `run`: the run that it started, or that of an earlier call with its id; None: it was ignored.

    `challenge`: the answer that Slack asks for when it checks the URL. `is_form`: Slack posted a form.
    """

    run: Run | None = None
    is_new: bool = False
    reason: str = ""
    challenge: str | None = None
    is_form: bool = False


class Inbound:
    """Takes inbound calls."""

    def __init__(self, env: Env) -> None:
        self._env, self._clock = env, env.clock
        self._events, self._calls = env[EventStore], env[CallLog]

    def refuse(self, check_id: str, reason: str) -> None:
        """Note a call that was refused before its signature was checked."""
        if self._events.hook(check_id) is not None:
            self._note(check_id, CallOutcome.REFUSED, reason=reason)

    def receive(self, check_id: str, headers: Mapping[str, str], body: bytes) -> Received:
        """Take a call. Raises UnauthorizedError for every call that is not genuine alike, and ServiceError."""
        hook = self._events.hook(check_id)
        if hook is None:
            raise UnauthorizedError(_NOT_SIGNED)
        call = Call(headers, body, self._clock() // MS_PER_SEC)
        try:
            verify(call, hook.verification, open_secret(self._env, check_id, hook))
            fields = slack_fields(call, hook.verification)
            call = call if fields is None else replace(call, body=fields)
            document = read_document(call.body)
            name = name_of(call, hook.verification, document)
        except NotGenuineError as error:
            self._note(check_id, CallOutcome.REFUSED, reason=str(error), size_bytes=len(body))
            raise UnauthorizedError(_NOT_SIGNED) from None
        challenge = _challenge(hook.verification, document)
        if challenge is not None:
            self._note(check_id, CallOutcome.IGNORED, reason="url_verification was answered")
            return Received(challenge=challenge)
        logged: dict[str, Any] = {**name._asdict(), "size_bytes": len(body)}
        try:
            if len(call.body) > STDIN_MAX_BYTES:
                raise TooLargeError(f"The fields of the form are larger than {STDIN_MAX_BYTES:,} bytes in JSON.")
            received = self._take(hook, check_id, call, name, document, logged)
            return replace(received, is_form=fields is not None)
        except ServiceError as error:
            texts = "".join(f" {problem.message}" for problem in error.fields)
            self._note(check_id, CallOutcome.REFUSED, reason=error.message + texts, **logged)
            raise

    def _take(
        self, hook: Hook, check_id: str, call: Call, name: CallName, document: Any, logged: dict[str, Any]
    ) -> Received:
        check = self._env[CheckStore].get(hook.project_id, check_id)
        if check is None:
            raise NotFoundError("There is no such check.")
        reason = reason_to_ignore(check.settings, name.event_type, document)
        if reason is not None:
            self._note(check_id, CallOutcome.IGNORED, reason=reason, **logged)
            return Received(reason=reason)
        earlier = self._events.first_run(check_id, name.event_id)
        if earlier is None:
            run = run_of(check, hook.verification.scheme, name, call.body, document, self._clock())
            count_request(self._env, check)
            kept = call.body if run.event is None else run.event.encode()
            body = kept if len(kept) <= INLINE_INPUT_MAX_BYTES else None
            at = to_rfc3339(run.scheduled_ms)
            row = LoggedCall(at=at, outcome=CallOutcome.RAN, run_id=run.run_id, body=body, **logged)
            run = self._without_large_body(run)
            earlier = self._events.add_run(run, name.event_id, self._calls.action(check_id, row))
            if earlier is None:
                return Received(run, is_new=True)
        first = self._env[RunStore].get_run(keys.runs_pk(check.project_id, check_id), earlier)
        if first is None:
            raise NotFoundError("The run of this call is no longer in the history.")
        self._note(check_id, CallOutcome.REPEATED, run_id=first.run_id, **logged)
        return Received(first)

    def run_again(self, check: Check, call_id: str) -> Run:
        """Run a genuine call of the log once more. Raises NotFoundError if its body is gone, RateLimitedError."""
        logged, runs = self._calls.ran(check.check_id, call_id), self._env[RunStore]
        pk = keys.runs_pk(check.project_id, check.check_id)
        first = None if logged is None else runs.get_run(pk, f"{logged.at}#{logged.run_id}")
        if logged is None or first is None or first.call is None:
            raise NotFoundError(_NO_CALL)
        body, name = logged.body, CallName(logged.event_id, logged.event_type)
        try:
            if body is None:
                body = self._env[Payloads].get_input(first.submission_id or "")[1]
        except PayloadMissingError:
            raise NotFoundError(_NO_CALL) from None
        run = run_of(check, Scheme(first.call.scheme), name, body, read_document(body), self._clock())
        count_request(self._env, check)
        run = self._without_large_body(replace(run, reason=f"{run.reason}, again"))
        runs.add_run(run)
        return run

    def _without_large_body(self, run: Run) -> Run:
        """Put the body of a run's call into the bucket if it is too large for a row."""
        if run.call is None or run.call.body is None or len(run.call.body) <= IN_ROW_MAX_BYTES:
            return run
        key = self._env[Payloads].put_event(run.run_id, run.call.body)
        return replace(run, call=replace(run.call, body=None, body_key=key))

    def _note(self, check_id: str, outcome: CallOutcome, **more: Any) -> None:
        self._calls.note(check_id, LoggedCall(at=to_rfc3339(self._clock()), outcome=outcome, **more))


def _challenge(verification: Verification, document: Any) -> str | None:
    """Return the challenge of a call by which Slack checks the URL of a new subscription."""
    if verification.scheme is not Scheme.SLACK or not isinstance(document, dict):
        return None
    challenge = document.get("challenge") if document.get("type") == "url_verification" else None
    return challenge if isinstance(challenge, str) else None


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
        secret = replace_secret(self.env, check, request)
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
        if received.is_new and received.run is not None:
            self.env[CheckHints].try_send(received.run)
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
        hook = self.env[EventStore].hook(check.check_id)
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
    ),
    Route(
        "GET /api/checks/{id}/calls",
        InboundRoutes.calls,
        "listInboundCalls",
        "List the last signed calls of a check with their outcomes",
        {200: ("The last calls.", (InboundCalls,)), **ONE_ANSWERS},
        (ID,),
    ),
    Route(
        "POST /api/checks/{id}/calls/{call}/run",
        InboundRoutes.run_again,
        "runInboundCallAgain",
        "Run a signed call that ran once more",
        {
            202: ("Queued.", (CheckRunView,)),
            **ONE_ANSWERS,
            404: ("`not_found`: the project has no such check, or its body is not kept any more.", (Error,)),
            422: BODY_ANSWERS[422],
            429: LIMITED,
        },
        (ID, path("call", {"type": "string"}, "The `id` of a call with the outcome `ran`.")),
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
