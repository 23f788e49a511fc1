"""Transforms: a program of an endpoint writes the body of a delivery, as a run whose end changes the delivery.

A publication puts a delivery as `transforming`, with a hint. Its sender begins the run, and the end of the run writes
the body, or why there is none. Each change has the condition that the delivery still waits for this run. So however
often a hint comes and a run ends, a delivery gets one body. The sweeper sends the hint again while it waits.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from typing import Any, Protocol

from functions.aws.dynamodb.conditional import ConditionalUpdate, put
from functions.aws.dynamodb.items import Value, to_item
from functions.aws.dynamodb.row_codec import write
from functions.aws.dynamodb.table import Table, due_shard
from functions.clock import MS_PER_SEC
from functions.env import Env
from functions.errors import ConflictError
from functions.failpoint import reach
from functions.ids import new_id
from functions.ttl_cache import TtlCache
from functions.webhooks.alerts import count_blocked
from functions.webhooks.deliveries.model import (
    FIRST_HINTED_MS,
    MAX_HINT_DELAY_MS,
    SKEW_MS,
    Delivery,
    DeliveryState,
    TransformedDelivery,
    TransformFailure,
    TransformWait,
    due_at,
)
from functions.webhooks.deliveries.publication import DeliveryHints, Hint, Publication, pending_hints
from functions.webhooks.deliveries.store import DUE, DeliveryStore, delivery_key
from functions.webhooks.deliveries.written_body import OutputInvalidError, WrittenBody, body_row, read_output
from functions.webhooks.endpoints.model import Endpoint, Transform
from functions.webhooks.sending.requests import Request, content_of, endpoint_request, send_test, webhook_test
from functions.webhooks.sending.transform_turns import (
    LEAST_REST_MS,
    RESTS,
    SLOW_SECS,
    Turn,
    TurnStore,
    program_digest,
)
from functions.webhooks.vocabulary import ALERT_EVENTS, Reply

FRESH_MS = 2_000
"""The delivery of an older hint is read, and its run may have been begun. An endpoint may be so old."""
_MOST_ENDPOINTS = 200
MAX_ERROR_CHARS = 1_024
ACCEPTED = "AC"
"""The verdict of a program that ran to its end."""


_SKIPPED = "The transform of the endpoint skips webhook.test, so nothing was sent."
_NOT_TRANSFORMED = "The transform of the endpoint failed, so nothing was sent."


@dataclass(frozen=True, slots=True)
class TransformRun:
    """A run to begin. `created_at_ms`: now, or the same for a fresh hint that comes twice.

    `is_new`: it was surely not begun before. `plan_end`: what its end changes, if it is waited for.
    """

    project_id: str
    delivery: TransformedDelivery
    program: Transform
    event: bytes = field(repr=False)
    created_at_ms: int
    correlation_id: str
    is_new: bool
    plan_end: Callable[["TransformEnd"], Publication] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Begun:
    """What became of a run. `wait_secs`: when its project may have the quota for it; 0: it was begun.

    `hint`: it has ended, its end is written, and this hint follows, which is not sent.
    """

    wait_secs: int = 0
    hint: Hint | None = None


@dataclass(frozen=True, slots=True)
class TransformEnd:
    """The end of a run: its verdict, and what it wrote. `error`: of a failure of the platform."""

    verdict: str
    stdout: bytes = field(default=b"", repr=False)
    stderr: bytes = field(default=b"", repr=False)
    error: str = ""
    wall_secs: float = 0.0
    cpu_secs: float = 0.0

    def body(self) -> WrittenBody | TransformFailure | None:
        """Return the body; why there is none; or None if the program skips the event."""
        if self.verdict != ACCEPTED:
            last = self.stderr[-4 * MAX_ERROR_CHARS :].decode(errors="replace").strip()
            return TransformFailure(self.verdict, (last or self.error)[-MAX_ERROR_CHARS:])
        try:
            return read_output(self.stdout)
        except OutputInvalidError as invalid:
            return TransformFailure(self.verdict, str(invalid)[:MAX_ERROR_CHARS])


class TransformRuns(Protocol):
    """The runs of transforms, as webhooks see them. `functions.submissions.transforms` has the only ones."""

    def begin(self, run: TransformRun) -> Begun:
        """Begin a run unless it was."""
        ...

    def test(self, project_id: str, program: Transform, event: bytes) -> TransformEnd:
        """Run a program now, and wait for its end. Raises RateLimitedError, UnavailableError."""
        ...

    def languages(self) -> Collection[str]:
        """Return the languages that programs may have."""
        ...


def transform_runs(_env: Env) -> TransformRuns:
    """Return the runs of transforms. The entry point provides them."""
    raise LookupError("transform_runs")


def prepare_test(env: Env, endpoint: Endpoint, now_ms: int) -> tuple[Request, Callable[[], Reply]]:
    """Return the request of a `webhook.test`, and what sends it. The endpoint's transform, if any, writes its body.

    Raises ConflictError, RateLimitedError, UnavailableError, UnsealError, ClientError.
    """
    event, written = webhook_test(endpoint, new_id(), now_ms), None
    if endpoint.transform is not None:
        content = content_of(env.settings.public_base_url, endpoint, event.event_id, "", event.body)
        body = env[transform_runs].test(endpoint.project_id, endpoint.transform, content).body()
        if isinstance(body, TransformFailure):
            raise ConflictError(f"{_NOT_TRANSFORMED} Verdict {body.verdict}: {body.error}")
        if (written := body) is None:
            raise ConflictError(_SKIPPED)
    request = endpoint_request(env, endpoint, event.event_id, "", event.body, now_ms, written=written)
    return request, partial(send_test, env, event, request)


class TransformStore(Table):
    """Changes deliveries that wait for their transform. False if one does not any more."""

    table_setting = "deliveries_table"

    def settle(self, delivery: Delivery, state: DeliveryState) -> bool:
        """Let a delivery go on without a run: send it, pause it or cancel it."""
        now = self._clock()
        if state is DeliveryState.PENDING:
            sets: dict[str, Value] = {"next_at_ms": now, "due_at_ms": now + FIRST_HINTED_MS}
            return self._update_unread(*self._change(delivery, {"state": state.value, **sets}, ()))
        return self._update_unread(*self._change(delivery, {"state": state.value}, DUE))

    def wait(self, delivery: Delivery, until_ms: int, wait: TransformWait) -> bool:
        """Let a delivery wait."""
        sets: dict[str, Value] = {"next_at_ms": until_ms, "due_at_ms": due_at(until_ms, self._clock())}
        update, row_key = self._change(delivery, {**sets, "transform_wait": write(wait)}, ())
        return self._update_unread(update.only_if("#next_at_ms = :was", {"was": delivery.next_at_ms}), row_key)

    def end(self, delivery: Delivery, body: WrittenBody | TransformFailure | None) -> list[Any]:
        """Return the actions that end a transform: its body, or the state of a delivery that has none."""
        now = self._clock()
        if isinstance(body, WrittenBody):
            stored = body.stored
            sets: dict[str, Value] = {
                "state": DeliveryState.PENDING.value,
                "next_at_ms": now,
                "due_at_ms": now + FIRST_HINTED_MS,
                "due_shard": due_shard(delivery.event_id),
                "body_digest": sha256(stored).digest(),
                "is_transformed": True,
            }
            update, row_key = self._change(delivery, sets, ("transform_failure",))
            row = to_item(body_row(delivery, stored, now))
            return [update.action(self.table_name, row_key), put(self.table_name, row)]
        state = DeliveryState.SKIPPED if body is None else DeliveryState.BLOCKED
        why: dict[str, Value] = {} if body is None else {"transform_failure": write(body)}
        removes = DUE if why else (*DUE, "transform_failure")
        update, row_key = self._change(delivery, {"state": state.value, **why}, removes)
        actions = [update.action(self.table_name, row_key)]
        if body is not None and delivery.event_type not in ALERT_EVENTS:
            actions.append(count_blocked(self.table_name, delivery, now))
        return actions

    def _change(
        self, delivery: Delivery, sets: Mapping[str, Value], removes: tuple[str, ...]
    ) -> tuple[ConditionalUpdate, dict[str, Any]]:
        """Return the update of a delivery that still waits for this transform, and the key of its row."""
        condition, values = "#state = :transforming", {"transforming": DeliveryState.TRANSFORMING.value}
        waits = "transform_wait" in sets
        update = ConditionalUpdate(sets, condition, values, removes if waits else (*removes, "transform_wait"))
        if delivery.transforms:
            update = update.only_if("#transforms = :transforms", {"transforms": delivery.transforms})
        else:
            update = update.only_if("attribute_not_exists(#transforms)")
        return update, delivery_key(delivery.event_id, delivery.endpoint_id)


class Transforms:
    """Begins the transforms of hinted deliveries, and plans their ends."""

    def __init__(self, env: Env) -> None:
        self._env, self._store, self._deliveries = env, env[TransformStore], env[DeliveryStore]
        self._hints, self._clock, self._turns = env[DeliveryHints], env.clock, env[TurnStore]
        self._targets = TtlCache[tuple[str, str], tuple[Endpoint | None, Turn | None]](
            FRESH_MS, _MOST_ENDPOINTS, env.clock
        )

    def begin(self, hint: Hint) -> Hint | None:
        """Begin the transform of a hinted delivery, if it waits for it. Raises the errors of AWS.

        Returns the hint that follows if its end is written already.
        """
        is_fresh = hint.new is not None and 0 <= self._clock() - hint.new.next_at_ms <= FRESH_MS
        delivery = hint.new if is_fresh else self._deliveries.get_delivery(hint.event_id, hint.endpoint_id)
        if delivery is None or delivery.project_id != hint.project_id:
            return None
        if delivery.state is not DeliveryState.TRANSFORMING:
            self._hints.send_all(pending_hints([delivery]))  # the sender that ran it may have died since
            return None
        if delivery.next_at_ms > self._clock() + SKEW_MS:
            return None  # a hint that came twice: the one of its wait is on its way
        endpoint, turn = self._target(delivery, is_fresh=is_fresh)
        if endpoint is None or not endpoint.enabled:
            self._store.settle(delivery, DeliveryState.CANCELLED if endpoint is None else DeliveryState.PAUSED)
        elif endpoint.transform is None or delivery.is_transformed:
            if self._store.settle(delivery, DeliveryState.PENDING):
                self._hints.send(Hint.of(replace(delivery, state=DeliveryState.PENDING)))
        elif event := hint.body or self._event(delivery):
            ids, run_id = (delivery.project_id, delivery.endpoint_id), TransformedDelivery.of(delivery).run_id
            if turn is None or self._turns.take(*ids, turn, run_id):
                return self._run(delivery, endpoint, endpoint.transform, event, turn, is_new=is_fresh)
            rest_ms = MS_PER_SEC if turn.run_id else turn.until_ms - self._clock()
            self._wait(delivery, -(-rest_ms // MS_PER_SEC), for_quota=False)
        else:  # the submission was deleted
            self._store.settle(delivery, DeliveryState.CANCELLED)
        return None

    def _run(
        self,
        delivery: Delivery,
        endpoint: Endpoint,
        program: Transform,
        event: bytes,
        turn: Turn | None,
        *,
        is_new: bool,
    ) -> Hint | None:
        base_url = self._env.settings.public_base_url
        content = content_of(base_url, endpoint, delivery.event_id, delivery.submission_id, event)
        of = replace(
            TransformedDelivery.of(delivery),
            program=program_digest(program),
            has_turn=turn is not None,
            is_ordered=endpoint.ordered,
        )
        reach("transform.before_begin")
        begun = self._env[transform_runs].begin(
            TransformRun(
                delivery.project_id,
                of,
                program,
                content,
                delivery.next_at_ms if is_new else self._clock(),
                delivery.correlation_id or delivery.submission_id or delivery.event_id,
                is_new,
                partial(self._plan_end, of, delivery),
            )
        )
        reach("transform.after_begin")
        if begun.wait_secs:
            self._wait(delivery, begun.wait_secs, for_quota=True)
        return begun.hint

    def _wait(self, delivery: Delivery, asked_secs: int, *, for_quota: bool) -> None:
        """Try again later. Each wait is half as long as all before it, so that many waiting deliveries cost few hints.

        At most MAX_HINT_DELAY_MS: the administrator may raise a quota.
        """
        now = self._clock()
        since_ms = delivery.transform_wait.since_ms if delivery.transform_wait else now
        wait_ms = min(max(asked_secs * MS_PER_SEC, (now - since_ms) // 2, MS_PER_SEC), MAX_HINT_DELAY_MS)
        if self._store.wait(delivery, now + wait_ms, TransformWait(since_ms, for_quota)):
            self._hints.send(Hint.of(delivery), delay_ms=wait_ms)

    def input_of(self, of: TransformedDelivery) -> tuple[Transform, bytes] | None:
        """Return program and input of a run that is begun again; None if its event or its transform is gone."""
        delivery = self._deliveries.get_delivery(of.event_id, of.endpoint_id)
        endpoint = None if delivery is None else self._target(delivery, is_fresh=False)[0]
        event = None if delivery is None else self._event(delivery)
        if delivery is None or endpoint is None or endpoint.transform is None or not event:
            return None
        base_url = self._env.settings.public_base_url
        content = content_of(base_url, endpoint, delivery.event_id, delivery.submission_id, event)
        return endpoint.transform, content

    def plan_end(self, of: TransformedDelivery, end: TransformEnd) -> Publication:
        """Return what the end of a run changes, and the hint that follows; nothing if its delivery does not wait.

        Without a body, only an ordered endpoint gets a hint, so that it goes on.
        """
        delivery = self._deliveries.get_delivery(of.event_id, of.endpoint_id)
        if delivery is None or delivery.state is not DeliveryState.TRANSFORMING:
            return Publication()
        if delivery.transforms != of.transforms:
            return Publication()
        return self._plan_end(of, delivery, end)

    def _plan_end(self, of: TransformedDelivery, delivery: Delivery, end: TransformEnd) -> Publication:
        body, now = end.body(), self._clock()
        has_failed = isinstance(body, TransformFailure)
        actions = (*self._store.end(delivery, body), *self._next_turn(of, delivery, end, has_failed=has_failed))
        if not isinstance(body, WrittenBody):
            hint = Hint.of(replace(delivery, state=DeliveryState.BLOCKED))
            return Publication(actions, (hint,) if of.is_ordered else ())
        ready = replace(
            delivery,
            state=DeliveryState.PENDING,
            next_at_ms=now,
            is_transformed=True,
            body_digest=sha256(body.stored).digest(),
        )
        hint = Hint.of(ready) if delivery.attempt else Hint.of_new(ready, body.stored)
        return Publication(actions, (hint,))

    def _next_turn(
        self, of: TransformedDelivery, delivery: Delivery, end: TransformEnd, *, has_failed: bool
    ) -> tuple[Any, ...]:
        ids, now = (delivery.project_id, delivery.endpoint_id), self._clock()
        if has_failed:
            rest_ms = max(LEAST_REST_MS, int(end.wall_secs * RESTS * MS_PER_SEC))
            return (self._turns.after(*ids, Turn(of.program, now + rest_ms)),)
        if end.cpu_secs > SLOW_SECS:
            return (self._turns.after(*ids, Turn(of.program, now)),)
        return (self._turns.sound(*ids, of.program),) if of.has_turn else ()

    def _target(self, delivery: Delivery, *, is_fresh: bool) -> tuple[Endpoint | None, Turn | None]:
        """Return an endpoint, and the turn of its program if that failed.

        A replay often follows a change of the program, so only new deliveries use the cache.
        """
        ids = (delivery.project_id, delivery.endpoint_id)
        known = self._targets.get(ids) if is_fresh else None
        if known is not None and known[1] is None and known[0] and known[0].enabled and known[0].transform is not None:
            return known
        return self._targets.keep(ids, self._turns.read(*ids))

    def _event(self, delivery: Delivery) -> bytes:
        event = self._deliveries.get_event(delivery.event_id)
        return b"" if event is None else event.body
