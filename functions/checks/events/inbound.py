"""Inbound calls: a signed call starts a run of its check."""

from __future__ import annotations

import itertools
import json
import secrets
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.conditional import put
from functions.aws.dynamodb.items import from_item, to_item
from functions.aws.dynamodb.row_codec import read, write
from functions.aws.dynamodb.table import Table
from functions.checks import keys
from functions.checks.assertions.kinds import is_equal, parse_path, read_document, value_at
from functions.checks.events.signatures import Call, CallName, NotGenuineError, Scheme, Verification, name_of, verify
from functions.checks.runs.model import Run, RunKind, SignedCall, commit_of, new_run
from functions.checks.runs.steps import event_variables
from functions.checks.settings.requests import object_of
from functions.checks.settings.triggers import CALL_VARIABLES_MAX_BYTES, EventAs, event_text, field_problem
from functions.clock import MS_PER_SEC, Clock, now_ms, to_rfc3339
from functions.errors import FieldProblem, InvalidFieldsError, NotFoundError, ServiceError, UnauthorizedError
from functions.ids import new_id
from functions.telemetry import warn
from functions.ttl_cache import TtlCache
from functions.webhooks.sealed_secrets import UnsealError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aws_lambda_powertools import Logger
    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.checks.events.signatures import InboundVerification
    from functions.checks.events.start import EventStore, Hook, RequestLimit
    from functions.checks.runs.store import RunStore
    from functions.checks.settings.check_settings import CheckSettings
    from functions.checks.settings.model import Check
    from functions.checks.settings.store import CheckStore
    from functions.webhooks.sealed_secrets import SecretBoxes


class CallOutcome(StrEnum):
    """What became of a call."""

    RAN = "ran"
    REPEATED = "repeated"
    IGNORED = "ignored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCall:
    """One call. `at`: RFC 3339. A call that is not genuine has neither id nor type: anybody may have chosen them."""

    at: str
    outcome: CallOutcome
    reason: str = ""
    event_id: str = ""
    event_type: str = ""
    run_id: str | None = None
    size_bytes: int = 0


# Which calls run a check: those with one of its `events`, and with the values of its `match`. Pure.


def reason_to_ignore(settings: CheckSettings, event_type: str, document: Any) -> str | None:
    """Return why a call runs nothing; None if it runs the check. `document`: MISSING for a body that is not JSON."""
    if settings.events and not any(_names(event, event_type) for event in settings.events):
        return f"{event_type or 'a call without a type'} is not among events"
    for path, value in settings.match.items():
        if not is_equal(value_at(document, parse_path(path)), value):
            return f"{path} has another value than in match"
    return None


def _names(event: str, event_type: str) -> bool:
    """Whether an entry of `events` names a type: `pull_request` names `pull_request.opened` too."""
    return event_type == event or event_type.startswith(f"{event}.")


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


class CallLog(Table):
    """Rows of calls, by check and time."""

    def __init__(self, table_name: str, client: DynamoDBClient, log: Logger, clock: Clock = now_ms) -> None:
        super().__init__(table_name, client, clock)
        self._log = log
        self._counts: TtlCache[tuple[str, CallOutcome], Iterator[int]] = TtlCache(_MINUTE_MS, _MOST_CHECKS, clock)

    def action(self, check_id: str, call: LoggedCall) -> Any:
        """Return the action that writes a call, for the transaction of its run."""
        return put(self.table_name, self._item(check_id, call))

    def note(self, check_id: str, call: LoggedCall) -> None:
        """Write a call that starts no run, unless this process has written many. A failure changes no answer."""
        if next(self._counts.get_or_load((check_id, call.outcome), itertools.count)) >= MOST_A_MINUTE:
            return
        try:
            self._client.put_item(TableName=self.table_name, Item=self._item(check_id, call))
        except (ClientError, BotoCoreError) as error:
            warn(self._log, "Call not noted in the log of its check", {"check_id": check_id}, error)

    def latest(self, check_id: str) -> list[LoggedCall]:
        """Return the last genuine and the last refused calls, newest first."""
        found = [*self._newest(check_id, _GENUINE), *self._newest(check_id, _REFUSED)]
        return sorted(found, key=lambda call: call.at, reverse=True)

    def _newest(self, check_id: str, prefix: str) -> list[LoggedCall]:
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": keys.calls_pk(check_id), ":prefix": prefix}),
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=SHOWN,
        )
        return [read(LoggedCall, from_item(item)) for item in answer["Items"]]

    def _item(self, check_id: str, call: LoggedCall) -> Any:
        prefix = _REFUSED if call.outcome is CallOutcome.REFUSED else _GENUINE
        sk = f"{prefix}{call.at}#{secrets.token_hex(4)}"
        ttl = self._clock() // MS_PER_SEC + KEPT_SECS
        return to_item({**write(call), "pk": keys.calls_pk(check_id), "sk": sk, "ttl": ttl})


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


@dataclass(frozen=True, slots=True)
class InboundSecrets:
    """Makes and opens the secrets of inbound calls, sealed for their checks, each with the scheme of its signatures."""

    events: EventStore
    boxes: SecretBoxes

    def replace(self, check: Check, request: InboundVerification) -> str:
        """Give a check a new scheme and secret, and return the secret; the one before ends at once."""
        secret = request.sender_secret()
        box = self.boxes.seal(secret, check.project_id, _owner_of(check.check_id), "inbound")
        self.events.put_hook(check, box, request.verification)
        return secret

    def open(self, check_id: str, hook: Hook) -> str:
        """Return the secret of a check. Raises NotGenuineError: without it, no call is genuine."""
        try:
            return self.boxes.open(hook.box, hook.project_id, _owner_of(check_id), "inbound")
        except UnsealError:
            raise NotGenuineError("the secret of the check cannot be opened: make a new one") from None


def _owner_of(check_id: str) -> str:
    return f"check:{check_id}"


IN_ROW_MAX_BYTES = 65_536
"""A larger body goes through the bucket."""
_NOT_SIGNED = (
    "The call is not signed as its check requires it, with the secret of POST /api/checks/{id}/secret. "
    "GET /api/checks/{id}/calls says why."
)


@dataclass(frozen=True, slots=True)
class Received:
    """A genuine call. `run`: the run that it started, or that of an earlier call with its id; None: it was ignored.

    `challenge`: the answer that Slack asks for when it checks the URL.
    """

    run: Run | None = None
    is_new: bool = False
    reason: str = ""
    challenge: str | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """Takes inbound calls. `put_body`: stores a large body for a run's id."""

    checks: CheckStore
    runs: RunStore
    events: EventStore
    calls: CallLog
    limit: RequestLimit
    secrets: InboundSecrets
    put_body: Callable[[str, bytes], str]
    clock: Clock = now_ms

    def refuse(self, check_id: str, reason: str) -> None:
        """Note a call that was refused before its signature was checked."""
        if self.events.hook(check_id) is not None:
            self._note(check_id, CallOutcome.REFUSED, reason=reason)

    def receive(self, check_id: str, headers: Mapping[str, str], body: bytes) -> Received:
        """Take a call. Raises UnauthorizedError for every call that is not genuine alike, and ServiceError."""
        hook = self.events.hook(check_id)
        if hook is None:
            raise UnauthorizedError(_NOT_SIGNED)
        call = Call(headers, body, self.clock() // MS_PER_SEC)
        try:
            verify(call, hook.verification, self.secrets.open(check_id, hook))
            document = read_document(body)
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
            return self._take(hook, check_id, call, name, document, logged)
        except ServiceError as error:
            fields = "".join(f" {problem.message}" for problem in error.fields)
            self._note(check_id, CallOutcome.REFUSED, reason=error.message + fields, **logged)
            raise

    def _take(
        self, hook: Hook, check_id: str, call: Call, name: CallName, document: Any, logged: dict[str, Any]
    ) -> Received:
        check = self.checks.get(hook.project_id, check_id)
        if check is None:
            raise NotFoundError("There is no such check.")
        reason = reason_to_ignore(check.settings, name.event_type, document)
        if reason is not None:
            self._note(check_id, CallOutcome.IGNORED, reason=reason, **logged)
            return Received(reason=reason)
        earlier = self.events.first_run(check_id, name.event_id)
        if earlier is None:
            run = run_of(check, hook.verification.scheme, name, call.body, document, self.clock())
            self.limit.count(check)
            if len(call.body) > IN_ROW_MAX_BYTES and run.call is not None and run.call.body is not None:
                key = self.put_body(run.run_id, call.body)
                run = replace(run, call=replace(run.call, body=None, body_key=key))
            row = LoggedCall(at=to_rfc3339(self.clock()), outcome=CallOutcome.RAN, run_id=run.run_id, **logged)
            earlier = self.events.add_run(run, name.event_id, self.calls.action(check_id, row))
            if earlier is None:
                return Received(run, is_new=True)
        first = self.runs.get_run(keys.runs_pk(check.project_id, check_id), earlier)
        if first is None:
            raise NotFoundError("The run of this call is no longer in the history.")
        self._note(check_id, CallOutcome.REPEATED, run_id=first.run_id, **logged)
        return Received(first)

    def _note(self, check_id: str, outcome: CallOutcome, **more: Any) -> None:
        self.calls.note(check_id, LoggedCall(at=to_rfc3339(self.clock()), outcome=outcome, **more))


def _challenge(verification: Verification, document: Any) -> str | None:
    """Return the challenge of a call by which Slack checks the URL of a new subscription."""
    if verification.scheme is not Scheme.SLACK or not isinstance(document, dict):
        return None
    challenge = document.get("challenge") if document.get("type") == "url_verification" else None
    return challenge if isinstance(challenge, str) else None
