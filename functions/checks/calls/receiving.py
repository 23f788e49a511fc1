"""Take a signed call: verify it, start its run or say why it starts none, and write it to the log of its check."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from functions.aws.payloads import PayloadMissingError, Payloads
from functions.checks import keys
from functions.checks.assertions import is_equal, parse_path, read_document, value_at
from functions.checks.calls.log import KEPT_SECS, CallLog, CallOutcome, LoggedCall
from functions.checks.calls.secret import Hook, HookStore, open_secret
from functions.checks.calls.signatures import (
    Call,
    CallName,
    NotGenuineError,
    Scheme,
    Verification,
    name_of,
    slack_fields,
    verify,
)
from functions.checks.runs.run import Run, RunKind, SignedCall, commit_of, new_run
from functions.checks.runs.start import EventStore, add_run, count_request, event_variables
from functions.checks.runs.store import RunStore
from functions.checks.settings.check_settings import CheckSettings
from functions.checks.settings.requests import object_of
from functions.checks.settings.store import Check, CheckStore
from functions.checks.settings.triggers import CALL_VARIABLES_MAX_BYTES, EventAs, event_text, field_problem
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.env import Env
from functions.errors import (
    FieldProblem,
    InvalidFieldsError,
    NotFoundError,
    ServiceError,
    TooLargeError,
    UnauthorizedError,
)
from functions.files.use import StoredFiles
from functions.ids import new_id
from functions.projects.store import ProjectStore
from functions.submissions.accept.requests import STDIN_MAX_BYTES
from functions.submissions.model import INLINE_INPUT_MAX_BYTES

IN_ROW_MAX_BYTES = 65_536
"""A larger body goes through the bucket."""
_NOT_SIGNED = (
    "The call is not signed as its check requires it, with the secret of POST /api/checks/{id}/secret. "
    "GET /api/checks/{id}/calls says why."
)
_NO_CALL = "No such call ran or was ignored in the last seven days, or its body is gone, or was not kept."


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
        self._events, self._hooks, self._calls = env[EventStore], env[HookStore], env[CallLog]

    def refuse(self, check_id: str, reason: str) -> None:
        """Note a call that was refused before its signature was checked."""
        if self._hooks.get(check_id) is not None:
            self._note(check_id, CallOutcome.REFUSED, reason=reason)

    def receive(self, check_id: str, headers: Mapping[str, str], body: bytes) -> Received:
        """Take a call. Raises UnauthorizedError for every call that is not genuine alike, and ServiceError."""
        hook = self._hooks.get(check_id)
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
            ignored = LoggedCall(at=to_rfc3339(self._clock()), outcome=CallOutcome.IGNORED, reason=reason, **logged)
            self._calls.note(check_id, ignored, lambda: self._keep(check, call.body))
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
            action = self._calls.action(check_id, row)
            run, earlier = add_run(self._env, check, run, document, name.event_id, [action])
            if earlier is None:
                return Received(run, is_new=True)
        first = self._env[RunStore].get_run(keys.runs_pk(check.project_id, check_id), earlier)
        if first is None:
            raise NotFoundError("The run of this call is no longer in the history.")
        self._note(check_id, CallOutcome.REPEATED, run_id=first.run_id, **logged)
        return Received(first)

    def run_again(self, check: Check, call_id: str) -> Run:
        """Run a genuine call of the log once more. Raises NotFoundError if its body is gone, RateLimitedError."""
        hook, logged = self._hooks.get(check.check_id), self._calls.genuine(check.check_id, call_id)
        body = None if logged is None else self._body_of(check, logged)
        if hook is None or logged is None or body is None:
            raise NotFoundError(_NO_CALL)
        name = CallName(logged.event_id, logged.event_type)
        run = run_of(check, hook.verification.scheme, name, body, read_document(body), self._clock())
        count_request(self._env, check)
        run = self._without_large_body(replace(run, reason=f"{run.reason}, again"))
        return add_run(self._env, check, run, read_document(body))[0]

    def _body_of(self, check: Check, logged: LoggedCall) -> bytes | None:
        """Return the body of a call of the log; None if it is gone, or was not kept."""
        if logged.body is not None:
            return logged.body
        try:
            if logged.body_key is not None:
                return self._env[Payloads].get_event(logged.body_key)
            pk = keys.runs_pk(check.project_id, check.check_id)
            first = self._env[RunStore].get_run(pk, f"{logged.at}#{logged.run_id}")
            return None if first is None else self._env[Payloads].get_input(first.submission_id or "")[1]
        except PayloadMissingError:
            return None

    def _keep(self, check: Check, body: bytes) -> str | None:
        """Keep the body of an ignored call as long as its row, if its project has room; return the object's key."""
        record = self._env[ProjectStore].get(check.project_id)
        until_ms = self._clock() + KEPT_SECS * MS_PER_SEC
        return None if record is None else self._env[StoredFiles].put_until(record.project, body, until_ms)

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
