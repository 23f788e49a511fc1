"""Replay: make a delivery pending again with a new schedule. Attempt numbers continue.

A replay is one transaction over delivery, event and endpoint. It fails if the event's bytes are gone, or if
the endpoint was disabled or deleted at the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.conditional import ConditionalUpdate, check
from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.table import TRIES, Table
from functions.aws.dynamodb.transaction import transact, transact_or_raise
from functions.clock import MS_PER_SEC, Clock
from functions.event_log.rows import event_key
from functions.failpoint import reach
from functions.webhooks.deliveries.hints import Hint
from functions.webhooks.deliveries.lists import RECOVERABLE
from functions.webhooks.deliveries.model import MAX_HINT_DELAY_MS, RUN_ENDPOINT_ID, Delivery, DeliveryState, due_at
from functions.webhooks.deliveries.rows import delivery_key
from functions.webhooks.endpoints.store import endpoint_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_lambda_powertools import Logger

    from functions.aws.dynamodb.items import Value
    from functions.event_log.rows import LogWriter
    from functions.webhooks.deliveries.hints import DeliveryHints
    from functions.webhooks.deliveries.lists import DeliveryList
    from functions.webhooks.deliveries.views import Recovered
    from functions.webhooks.endpoints.model import Endpoint


REPLAYABLE = frozenset(DeliveryState) - {DeliveryState.PENDING, DeliveryState.SENDING}
"""Every final state, and `retrying`: its next attempt then starts at once."""

MAX_ATTEMPTS = 1_000
"""Limit of attempts of one delivery. It bounds the size of the delivery's partition."""


class ReplayResult(Enum):
    """Result of a replay: done, or the reason for the refusal."""

    DONE = auto()
    EVENT_GONE = auto()
    ALREADY_DUE = auto()
    ENDPOINT_DISABLED = auto()
    CONTENDED = auto()


_REFUSALS = {
    "event": ReplayResult.EVENT_GONE,
    "delivery": ReplayResult.ALREADY_DUE,
    "endpoint": ReplayResult.ENDPOINT_DISABLED,
}
"""By the action whose condition failed, the most important first."""


class ReplayStore(Table):
    """Makes deliveries of the deliveries table due again."""

    table_setting = "deliveries_table"

    def replay(self, delivery: Delivery, secret_box: bytes | None = None, also: Sequence[Any] = ()) -> ReplayResult:
        """Make one delivery due now. `secret_box`: a run's sealed secret that replaces the secret of the row.

        `also`: actions without a condition, in the same transaction.
        """
        now = self._clock()
        actions = {
            "event": self._event_is_kept(delivery, now),
            "delivery": self._due_again(delivery, now, secret_box),
            "endpoint": [] if delivery.endpoint_id == RUN_ENDPOINT_ID else self._endpoint_is_on(delivery),
            "also": also,
        }
        refusal = transact(self._client, actions, TRIES)
        if refusal is None:
            return ReplayResult.DONE
        return next((reason for name, reason in _REFUSALS.items() if name in refusal.failed), ReplayResult.CONTENDED)

    def recover(
        self,
        delivery: Delivery,
        due_at_ms: int,
        states: tuple[DeliveryState, ...] = RECOVERABLE,
        also: Sequence[Any] = (),
    ) -> bool:
        """Make a delivery in one of these states due at `due_at_ms`; False if its state has changed.

        `also`: actions without a condition, in the same transaction. Raises RowsContendedError.
        """
        update = self._again(due_at_ms, delivery.event_id, states)
        key = delivery_key(delivery.event_id, delivery.endpoint_id)
        if not also:
            return self._update_unread(update, key)
        actions = {"delivery": update.action(self.table_name, key), "also": also}
        return transact_or_raise(self._client, actions) is None

    def _due_again(self, delivery: Delivery, now_ms: int, secret_box: bytes | None) -> Any:
        update = self._again(now_ms, delivery.event_id, tuple(REPLAYABLE))
        if secret_box is not None:
            update = replace(update, sets={**update.sets, "secret_box": secret_box})
        elif delivery.endpoint_id == RUN_ENDPOINT_ID:
            update = update.only_if("attribute_exists(#secret_box)")
        return update.action(self.table_name, delivery_key(delivery.event_id, delivery.endpoint_id))

    def _again(self, next_at_ms: int, event_id: str, states: tuple[DeliveryState, ...]) -> ConditionalUpdate:
        was: dict[str, Value] = {f"was_{state.value}": state.value for state in states}
        return ConditionalUpdate(
            {
                "state": DeliveryState.PENDING.value,
                "next_at_ms": next_at_ms,
                "due_at_ms": due_at(next_at_ms, self._clock()),
                "due_shard": due_shard(event_id),
            },
            f"attribute_exists(#pk) AND #attempt < :most AND #state IN ({', '.join(f':{name}' for name in was)})",
            was | {"most": MAX_ATTEMPTS},
            removes=("lease_until_ms", "lease_owner", "lane_ref", "lane_at_ms"),
            computed=("#attempts_before = #attempt",),
        )

    def _event_is_kept(self, delivery: Delivery, now_ms: int) -> Any:
        values = {"now": now_ms // MS_PER_SEC}
        return check(
            self.table_name, event_key(delivery.event_id), "attribute_exists(#body_zlib) AND #ttl > :now", values
        )

    def _endpoint_is_on(self, delivery: Delivery) -> Any:
        key = endpoint_key(delivery.project_id, delivery.endpoint_id)
        return check(self.table_name, key, "#enabled = :true", {"true": True})


WORK_MS = 20_000
"""Time limit of one call. The gateway times out after 30 s."""
PER_SEC = 50
"""Deliveries that become due per second, so that a receiver is not overloaded after an outage."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Makes failed and paused deliveries of an endpoint due again, oldest first, at a limited rate."""

    listing: DeliveryList
    replays: ReplayStore
    hints: DeliveryHints
    clock: Clock
    log: Logger
    event_log: LogWriter

    def recover(self, endpoint: Endpoint, since_ms: int, *, also_retrying: bool = False) -> Recovered:
        """Recover deliveries for at most WORK_MS. Deliveries from `continue_since` on were not reached.

        Each row takes one conditional write, so repeating the call is safe. The event log gets each recovered delivery.
        """
        ends_ms, recovered = self.clock() + WORK_MS, 0
        is_logged = self.event_log.is_on(endpoint.project_id)
        states = (*RECOVERABLE, DeliveryState.RETRYING) if also_retrying else RECOVERABLE
        pages = self.listing.recoverable(endpoint.project_id, endpoint.endpoint_id, since_ms, states)
        for deliveries, read_to in pages:
            for delivery in deliveries:
                if self.clock() >= ends_ms:
                    return _answer(recovered, delivery.created_at)
                recovered += self._recover_one(delivery, recovered // PER_SEC, states, is_logged=is_logged)
            if read_to and self.clock() >= ends_ms:
                return _answer(recovered, read_to)
        return _answer(recovered, None)

    def _recover_one(
        self, delivery: Delivery, delay_secs: int, states: tuple[DeliveryState, ...], *, is_logged: bool
    ) -> bool:
        also = [self.event_log.replay_action(delivery)] if is_logged else []
        if not self.replays.recover(delivery, self.clock() + delay_secs * MS_PER_SEC, states, also):
            return False
        reach("recover.after_write")
        if delay_secs * MS_PER_SEC <= MAX_HINT_DELAY_MS:
            self.hint(delivery, delay_secs)
        return True

    def hint(self, delivery: Delivery, delay_secs: int = 0) -> None:
        """Send a hint. If that fails, the sweeper finds the row, because it is due."""
        try:
            self.hints.send(Hint.of(delivery), delay_ms=delay_secs * MS_PER_SEC)
        except (ClientError, BotoCoreError) as error:
            self.log.warning(
                "Hint not sent; the sweeper will send the delivery",
                delivery_id=f"{delivery.event_id}#{delivery.endpoint_id}",
                error_type=type(error).__name__,
            )


def _answer(recovered: int, continue_since: str | None) -> Recovered:
    return {"recovered": recovered, "complete": continue_since is None, "continue_since": continue_since}
