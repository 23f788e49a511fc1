"""Recovery: make an endpoint's failed and paused deliveries due again, oldest first, at a limited rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.clock import MS_PER_SEC, Clock
from functions.failpoint import reach
from functions.webhooks.deliveries.hints import Hint
from functions.webhooks.deliveries.list_store import RECOVERABLE
from functions.webhooks.deliveries.model import MAX_HINT_DELAY_MS, DeliveryState

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.event_log.writer import LogWriter
    from functions.webhooks.deliveries.hints import DeliveryHints
    from functions.webhooks.deliveries.list_store import DeliveryList
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.deliveries.replay import ReplayStore
    from functions.webhooks.deliveries.views import Recovered
    from functions.webhooks.endpoints.model import Endpoint

WORK_MS = 20_000
"""Time limit of one call. The gateway times out after 30 s."""
PER_SEC = 50
"""Deliveries that become due per second, so that a receiver is not overloaded after an outage."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Recovers the deliveries of endpoints."""

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
