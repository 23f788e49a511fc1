"""Signed calls: which of them run a check, the run of each, and the log of the last ones."""

import itertools
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.conditional import put
from functions.aws.dynamodb.items import from_item, key, to_item
from functions.aws.dynamodb.row_codec import IN_KEY, read, write
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import RowsContendedError
from functions.aws.payloads import PayloadMissingError, Payloads
from functions.checks import keys
from functions.checks.assertions import is_equal, parse_path, read_document, value_at
from functions.checks.runs.signatures import (
    Call,
    CallName,
    NotGenuineError,
    Scheme,
    Verification,
    name_of,
    slack_fields,
    verify,
)
from functions.checks.runs.start import EventStore, Hook, add_run, count_request, event_variables, open_secret
from functions.checks.runs.store import Run, RunKind, RunStore, SignedCall, commit_of, new_run
from functions.checks.settings.check_settings import CheckSettings
from functions.checks.settings.requests import object_of
from functions.checks.settings.store import Check, CheckStore
from functions.checks.settings.triggers import CALL_VARIABLES_MAX_BYTES, EventAs, event_text, field_problem
from functions.clock import MS_PER_SEC, Clock, now_ms, to_rfc3339
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
from functions.telemetry import warn
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_dynamodb import DynamoDBClient


class CallOutcome(StrEnum):
    """What became of a call."""

    RAN = "ran"
    REPEATED = "repeated"
    IGNORED = "ignored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCall:
    """One call. `at`: RFC 3339; of one that ran, the time of its run.

    A call that is not genuine has neither id nor type: anybody may have chosen them. `call_id`: its name in the log.
    `body`: what its program got, if that is small. A larger one is in the bucket, as the input of its submission.
    `body_key`: the object with the body of an ignored call.
    """

    at: str
    outcome: CallOutcome
    reason: str = ""
    event_id: str = ""
    event_type: str = ""
    run_id: str | None = None
    size_bytes: int = 0
    body: bytes | None = field(default=None, repr=False)
    body_key: str | None = None
    call_id: Annotated[str, IN_KEY] = ""


# The last calls of a check, with their outcomes. Rows of their own, for a week, in the checks table.
# A run writes its call in its own transaction. Of all other outcomes a process writes at most MOST_A_MINUTE of a
# check: a flood of forged calls costs reads, and a bounded number of writes. Refused calls have sort keys of their
# own, so that they hide no genuine call.

SHOWN = 20
"""Of genuine calls, and of refused ones."""
MOST_A_MINUTE = 10
KEPT_SECS = 7 * 86_400
_MINUTE_MS = 60_000
_MOST_CHECKS = 10_000
_GENUINE, _REFUSED = "GENUINE#", "REFUSED#"
_CALL_ID = re.compile(r"[0-9TZ_.-]{20,30}~[0-9a-f]{8}", re.ASCII)
"""The end of its sort key, without colons: some clients encode them in a path, and gateways differ there."""


class CallLog(Table):
    """Rows of calls, by check and time."""

    table_setting = "checks_table"

    def __init__(self, table_name: str, client: "DynamoDBClient", log: "Logger", clock: Clock = now_ms) -> None:
        super().__init__(table_name, client, clock)
        self._log = log
        self._counts: TtlCache[tuple[str, CallOutcome], Iterator[int]] = TtlCache(_MINUTE_MS, _MOST_CHECKS, clock)

    @classmethod
    def from_env(cls, env: Env) -> "CallLog":
        return cls(env.settings.checks_table, env.dynamodb, env.log, env.clock)

    def action(self, check_id: str, call: LoggedCall) -> Any:
        """Return the action that writes a call, for the transaction of its run."""
        return put(self.table_name, self._item(check_id, call))

    def note(self, check_id: str, call: LoggedCall, keep: Callable[[], str | None] = lambda: None) -> None:
        """Write a call that starts no run, unless this process has written many. A failure changes no answer.

        `keep`: stores its body, and returns the object's key.
        """
        if next(self._counts.get_or_load((check_id, call.outcome), itertools.count)) >= MOST_A_MINUTE:
            return
        try:
            call = replace(call, body_key=keep())
            self._client.put_item(TableName=self.table_name, Item=self._item(check_id, call))
        except (ClientError, BotoCoreError, RowsContendedError) as error:
            warn(self._log, "Call not noted in the log of its check", {"check_id": check_id}, error)

    def latest(self, check_id: str) -> list[LoggedCall]:
        """Return the last genuine and the last refused calls, newest first."""
        found = [*self._newest(check_id, _GENUINE), *self._newest(check_id, _REFUSED)]
        return sorted(found, key=lambda call: call.at, reverse=True)

    def genuine(self, check_id: str, call_id: str) -> LoggedCall | None:
        """Return a genuine call; None if there is none."""
        sk = _GENUINE + call_id.replace("_", ":")
        row = self._get(key(keys.calls_pk(check_id), sk)) if _CALL_ID.fullmatch(call_id) else None
        return None if row is None else _call(row)

    def _newest(self, check_id: str, prefix: str) -> list[LoggedCall]:
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": keys.calls_pk(check_id), ":prefix": prefix}),
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=SHOWN,
        )
        return [_call(from_item(item)) for item in answer["Items"]]

    def _item(self, check_id: str, call: LoggedCall) -> Any:
        prefix = _REFUSED if call.outcome is CallOutcome.REFUSED else _GENUINE
        sk = f"{prefix}{call.at}~{secrets.token_hex(4)}"
        ttl = self._clock() // MS_PER_SEC + KEPT_SECS
        return to_item({**write(call), "pk": keys.calls_pk(check_id), "sk": sk, "ttl": ttl})


def _call(row: Mapping[str, Any]) -> LoggedCall:
    return read(LoggedCall, {**row, "call_id": row["sk"].partition("#")[2].replace(":", "_")})


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
        hook, logged = self._events.hook(check.check_id), self._calls.genuine(check.check_id, call_id)
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
