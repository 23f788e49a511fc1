"""Inbound calls: a signed call starts a run of its check."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from functions.checks.assertions.kinds import read_document
from functions.checks.events.call_names import CallName, name_of
from functions.checks.events.call_run import run_of
from functions.checks.events.logged_call import CallOutcome, LoggedCall
from functions.checks.events.selection import reason_to_ignore
from functions.checks.events.signatures import Call, NotGenuineError, Scheme, Verification, verify
from functions.checks.keys import runs_pk
from functions.clock import MS_PER_SEC, Clock, now_ms, to_rfc3339
from functions.errors import NotFoundError, ServiceError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.checks.events.call_log import CallLog
    from functions.checks.events.event_store import EventStore, Hook
    from functions.checks.events.inbound_secrets import InboundSecrets
    from functions.checks.events.request_limit import RequestLimit
    from functions.checks.runs.model import Run
    from functions.checks.runs.store import RunStore
    from functions.checks.settings.store import CheckStore

IN_ROW_MAX_BYTES = 65_536
"""A larger body goes through the bucket."""
_REFUSED = (
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
            raise UnauthorizedError(_REFUSED)
        call = Call(headers, body, self.clock() // MS_PER_SEC)
        try:
            verify(call, hook.verification, self.secrets.open(check_id, hook))
            document = read_document(body)
            name = name_of(call, hook.verification, document)
        except NotGenuineError as error:
            self._note(check_id, CallOutcome.REFUSED, reason=str(error), size_bytes=len(body))
            raise UnauthorizedError(_REFUSED) from None
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
        first = self.runs.get_run(runs_pk(check.project_id, check_id), earlier)
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
