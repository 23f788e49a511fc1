"""Pings: jobs elsewhere report their ends to a heartbeat. Its tokens, the bodies of its latest pings, and their API.

A ping becomes a run that has ended, and moves the state of its check.
"""

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any, Final, NamedTuple, TypedDict

from aws_lambda_powertools.event_handler import Response

from functions.aws.dynamodb.conditional import ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import Value, to_item
from functions.aws.dynamodb.table import Table, tries
from functions.aws.dynamodb.transaction import RowsContendedError, transact_or_raise
from functions.checks import keys
from functions.checks.api import own_check
from functions.checks.runs.event_bodies import summary, with_events
from functions.checks.runs.hints import CheckHints
from functions.checks.runs.run import Run, RunKind, RunStatus, new_run
from functions.checks.runs.store import run_item
from functions.checks.settings.store import (
    HISTORY_DAYS,
    NEXT_TIME,
    Check,
    CheckStore,
    Pings,
    QuietStore,
    check_action,
    outage_actions,
)
from functions.checks.state import Finished, Rules, settle
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.env import Env
from functions.errors import ConflictError, NotFoundError
from functions.failpoint import reach
from functions.http.answers import answer
from functions.http.http_event import HttpEvent
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import BAD, ID, KEYED, OPEN, Answer, path
from functions.http.resolver import Resolver, Route
from functions.ids import new_id
from functions.projects.changes import Change, record

KEPT_BODIES = 100
BODY_MAX_BYTES = 10_240
_PING_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
_EXIT_CODE = re.compile(r"[0-9]{1,3}", re.ASCII)
_LAST_EXIT_CODE = 255
_NO_WORD = (
    "A ping ends with /start, /fail, /log, an exit code from 0 to 255, or nothing: it succeeded. "
    "Before it there may be the slug of the token's check."
)
_TTL_SECS = HISTORY_DAYS * 86_400


class SignalKind(StrEnum):
    """What a ping says about its job."""

    START = "start"
    SUCCESS = "success"
    FAIL = "fail"
    LOG = "log"


class Signal(NamedTuple):
    """What a ping says, and why."""

    kind: SignalKind
    reason: str = ""


def signal_of(word: str) -> Signal | None:
    """Return what the last part of a ping's path says: `start`, `fail`, `log`, or an exit code; empty: success."""
    if word == SignalKind.START:
        return Signal(SignalKind.START)
    if word == SignalKind.LOG:
        return Signal(SignalKind.LOG, "the job sent a log")
    if word == SignalKind.FAIL:
        return Signal(SignalKind.FAIL, "the job reported a failure")
    if word == "" or (_EXIT_CODE.fullmatch(word) and int(word) == 0):
        return Signal(SignalKind.SUCCESS)
    if _EXIT_CODE.fullmatch(word) and int(word) <= _LAST_EXIT_CODE:
        return Signal(SignalKind.FAIL, f"the job ended with exit code {int(word)}")
    return None


def token_hash(token: str) -> str | None:
    """Return the hash of a token, which is all that we keep of it; None for a text that is no token."""
    return hashlib.sha256(token.encode()).hexdigest() if _PING_TOKEN.fullmatch(token) else None


class PingStore(Table):
    """Rows of tokens by their hash, and of bodies: the latest 100 of a heartbeat."""

    table_setting = "checks_table"

    def owner(self, token_hash: str) -> tuple[str, str] | None:
        row = self._get(keys.ping_key(token_hash))
        return None if row is None else (row["owner"][0], row["owner"][1])

    def replace_token(self, check: Check, token_hash: str, also: Sequence[Any] = ()) -> bool:
        """Give a check the token with this hash, in place of the one before. False if another process did so."""
        condition, values = _token_is_same(check)
        update = ConditionalUpdate({"ping_hash": token_hash}, f"attribute_exists(#pk) AND {condition}", values)
        old = () if check.ping_hash is None else (delete(self.table_name, keys.ping_key(check.ping_hash)),)
        owner = to_item({"owner": [check.project_id, check.check_id]})
        actions = {
            "check": update.action(self.table_name, keys.check_key(check.project_id, check.check_id)),
            "new": put(self.table_name, {**keys.ping_key(token_hash), **owner}),
            "old": list(old),
            "also": also,
        }
        return transact_or_raise(self._client, actions) is None

    def add(self, before: Check, after: Check, run: Run | None, body: bytes) -> bool:
        """Write a ping: the check with its next time and standing, the run that has ended, and the body.

        All in one transaction. False if the check has changed, or its token.
        """
        after = replace(after, standing_version=before.standing_version + 1)
        names = ("standing", "standing_version", "last_run", "anchor_ms", "pings", *NEXT_TIME)
        unchanged, same_token = ("version", "standing_version"), _token_is_same(before)
        actions: dict[str, Any] = {
            "check": check_action(self.table_name, before, after, names, unchanged, also=same_token),
            "run": [] if run is None else put(self.table_name, run_item(run)),
            "outage": outage_actions(self.table_name, before, after),
            "body": [] if run is None or not body else put(self.table_name, self._body_item(run, body)),
        }
        return transact_or_raise(self._client, actions) is None

    def body(self, check: Check, number: int) -> bytes | None:
        """Return the body of a ping; None without one, and after 100 more pings."""
        row = self._get(keys.ping_body_key(check.project_id, check.check_id, number % KEPT_BODIES))
        return bytes(row["body"]) if row is not None and row["number"] == number else None

    def _body_item(self, run: Run, body: bytes) -> Any:
        number = run.ping or 0
        values: dict[str, Value | None] = {
            "number": number,
            "body": body,
            "ttl": self._clock() // MS_PER_SEC + _TTL_SECS,
        }
        return {**keys.ping_body_key(run.project_id, run.check_id, number % KEPT_BODIES), **to_item(values)}


def _token_is_same(check: Check) -> tuple[str, dict[str, Value]]:
    if check.ping_hash is None:
        return "attribute_not_exists(#ping_hash)", {}
    return "#ping_hash = :hash_before", {"hash_before": check.ping_hash}


def take_ping(env: Env, token: str, signal: Signal, body: bytes, slug: str | None = None) -> bool:
    """Take a ping; return whether it counts. Raises RowsContendedError.

    It does not with an unknown token, while the check is paused, and beyond the pings of a minute. The schedule
    publishes the events of its run, at once or within a minute. `slug`: that of an address with one. Raises
    NotFoundError if the token's check has another.
    """
    store, hashed = env[PingStore], token_hash(token)
    owner = None if hashed is None else store.owner(hashed)
    for _ in tries():
        check = None if owner is None else env[CheckStore].get(*owner)
        if slug is not None and (check is None or check.settings.slug != slug):
            raise NotFoundError(_NO_WORD)
        if check is None or check.ping_hash != hashed or check.is_paused:
            return False
        now = env.clock()
        pings = check.pings.counted(now)
        if pings is None:
            return False
        run, after = None, _started(check, pings, now)
        if signal.kind is SignalKind.LOG:
            run, after = _logged(check, pings, signal, now, has_body=bool(body))
        elif signal.kind is not SignalKind.START:
            run, after = _ended(check, env[QuietStore].rules(check), pings, signal, now, has_body=bool(body))
        if store.add(check, after, run, body[:BODY_MAX_BYTES]):
            reach("ping.after_add")
            if run is not None and not run.is_settled:
                env[CheckHints].try_send(run)
            env.log.info("Ping taken", **check.log_ids, signal=signal.kind.value)
            return True
    raise RowsContendedError


def _started(check: Check, pings: Pings, now: int) -> Check:
    """Return the check whose job has started: from now on it has the grace to end."""
    next_slot_ms = now if check.next_slot_ms is None else min(check.next_slot_ms, now)
    return replace(check, pings=replace(pings, started_ms=now), next_slot_ms=next_slot_ms)


def _logged(check: Check, pings: Pings, signal: Signal, now: int, *, has_body: bool) -> tuple[Run, Check]:
    """Return a row of the history for the log of a job, and the check, whose state and next time stay."""
    run = replace(
        new_run(check, RunKind.EVENT, now, now, new_id()),
        status=RunStatus.SKIPPED,
        reason=signal.reason,
        due_at_ms=None,
        ping=pings.number if has_body else None,
    )
    return run, replace(check, pings=pings)


def _ended(check: Check, rules: Rules, pings: Pings, signal: Signal, now: int, *, has_body: bool) -> tuple[Run, Check]:
    """Return the run of a job that has ended, and the check with its standing and next time after it."""
    has_passed, started_ms = signal.kind is SignalKind.SUCCESS, check.pings.started_ms
    run = replace(
        new_run(check, RunKind.EVENT, now, now, new_id()),
        status=RunStatus.PASSED if has_passed else RunStatus.FAILED,
        reason=signal.reason,
        started_at=None if started_ms is None else to_rfc3339(started_ms),
        completed_at=to_rfc3339(now),
        wall_time_secs=None if started_ms is None else max(0, now - started_ms) / MS_PER_SEC,
        ping=pings.number if has_body else None,
    )
    finished = Finished(passed=has_passed, is_platform_fault=False, attempt=0, earlier_failed=False)
    step = settle(check.standing, rules, finished, now)
    run = with_events(check, run, rules, step, now, "")  # a run without submission has no result_url
    after = replace(
        check,
        standing=step.standing,
        last_run=summary(run),
        anchor_ms=now,
        pings=replace(pings, ended_ms=now, started_ms=None),
    )
    return run, replace(after, next_slot_ms=after.next_time_after(now))


class PingUrl(TypedDict):
    """The new address of a heartbeat's pings. No other response shows it."""

    url: str


_TOKEN_BYTES = 24
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class PingRoutes:
    """Handlers of pings. Logs hold no token."""

    env: Env

    def new_url(self, app: Resolver, id_text: str) -> Response[str]:
        for _ in tries():
            check = own_check(self.env, app, id_text)
            if not check.settings.is_heartbeat:
                raise ConflictError("Only a heartbeat takes pings. Create a check with kind heartbeat.")
            token = secrets.token_urlsafe(_TOKEN_BYTES)
            change = Change(check.project_id, "check.ping_url_replaced", check.check_id)
            write = partial(self.env[PingStore].replace_token, check, token_hash(token) or "")
            if record(self.env, app.current_event, change, write):
                self.env.log.info("Ping token replaced", **check.log_ids, request_id=app.request_id)
                body: PingUrl = {"url": f"/api/pings/{token}"}
                return answer(body)
        raise ConflictError("Other requests keep changing the check. Repeat the request.")

    def take(self, app: Resolver, token: str, word: str = "", last: str = "") -> Response[str]:
        """Take a ping. Each token that no heartbeat has gets the answer of one that is paused.

        `word`: what it says, or the slug of its check, as in addresses of Healthchecks; then `last` says it.
        """
        signal, slug = signal_of(word), None
        if signal is None or last:
            signal, slug = signal_of(last), word
        if signal is None:
            raise NotFoundError(_NO_WORD)
        body = b"" if app.current_event.http_method != "POST" else _start_of_body(app.current_event)
        counts = take_ping(self.env, token, signal, body, slug)
        return _text("text/plain", "OK" if counts else "OK (not counted)")

    def body(self, app: Resolver, id_text: str, number: str) -> Response[str]:
        check = own_check(self.env, app, id_text)
        kept = self.env[PingStore].body(check, int(number)) if _NUMBER.fullmatch(number) else None
        if kept is None:
            raise NotFoundError("There is no such body. A heartbeat keeps those of its latest 100 pings.")
        return _text("text/plain; charset=utf-8", kept.decode(errors="replace"))


def _text(content_type: str, text: str) -> Response[str]:
    return Response(status_code=200, content_type=content_type, headers=_HEADERS, body=text)


def _start_of_body(event: HttpEvent) -> bytes:
    """Return the first 10 KiB of a body of any kind; nothing of one that does not match its encoding."""
    text = event.body or ""
    if not event.is_base64_encoded:
        return text[:BODY_MAX_BYTES].encode(errors="replace")[:BODY_MAX_BYTES]
    try:
        return base64.b64decode(text, validate=True)[:BODY_MAX_BYTES]
    except (binascii.Error, ValueError):
        return b""


_UNKNOWN_PING: Answer = ("`not_found`: the project has no such check, or no such body is kept.", (Error,))
_TOKEN = path("token", {"type": "string"}, "That of POST /api/checks/{id}/ping-url.")
_WORD = path("word", {"type": "string"}, "`start`, `fail`, `log`, or the exit code of the job, 0 to 255; or the slug.")
_SLUG = path("slug", {"type": "string"}, "That of the check: as ping key, clients of Healthchecks get the token.")
_LAST = path("last", {"type": "string"}, "`start`, `fail`, `log`, or the exit code of the job, 0 to 255.")
_TAKEN: dict[int, Answer] = {
    200: ("`OK`, or `OK (not counted)`: unknown token, paused check, or over ten pings in a minute.", ("text/plain",)),
    404: ("`not_found`: the last part is no word of a ping, or no check has this token and slug.", (Error,)),
    **OPEN,
}
_METHODS: Final = ("GET", "HEAD", "POST")

PING_ROUTES: tuple[Route[PingRoutes], ...] = (
    Route(
        "POST /api/checks/{id}/ping-url",
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
        rights=("checks",),
    ),
    Route(
        "GET /api/checks/{id}/pings/{number}",
        PingRoutes.body,
        "getPingBody",
        "Show the body of a ping",
        {200: ("As it came, up to 10 KiB.", ("text/plain; charset=utf-8",)), 400: BAD, 404: _UNKNOWN_PING, **KEYED},
        (ID, path("number", {"type": "integer"})),
        rights=("read", "checks"),
    ),
    *(
        Route(
            f"{method} /api/pings/{parts}",
            PingRoutes.take,
            f"{method.lower()}{name}",
            summary,
            _TAKEN,
            parameters,
            security=None,
            has_secret=True,
        )
        for parts, name, summary, parameters in (
            ("{token}", "Ping", "Report that a job has succeeded", (_TOKEN,)),
            ("{token}/{word}", "PingWord", "Report that a job has started or ended, or its log", (_TOKEN, _WORD)),
            ("{token}/{slug}/{last}", "PingOfSlug", "Report the same, with the check's slug", (_TOKEN, _SLUG, _LAST)),
        )
        for method in _METHODS
    ),
)
