"""Claim deliveries that may be sent now, and postpone or end the others."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom

from functions.core.clock import Clock, now_ms
from functions.core.delivery import RUN_ENDPOINT_ID, Delivery, deferral_ms
from functions.core.endpoint import Endpoint
from functions.core.failpoint import reach
from functions.queues import Queues
from functions.store.deliveries import DeliveryStore
from functions.store.leases import Held, Leases

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Hint:
    """What a message of the deliveries queue names. `project_id` None: it is of an older version."""

    event_id: str
    endpoint_id: str
    project_id: str | None = None


@dataclass(frozen=True, slots=True)
class Claiming:
    """Parts that it needs. `random` gives the jitter, in [0, 1)."""

    deliveries: DeliveryStore
    leases: Leases
    queues: Queues
    deliveries_queue_url: str
    clock: Clock = now_ms
    random: Callable[[], float] = SystemRandom().random
    sleep: Callable[[float], None] = time.sleep

    def claim(self, hint: Hint, owner: str) -> Held | None:
        """Claim what the hint names; None when there is nothing to send now."""
        if hint.endpoint_id == RUN_ENDPOINT_ID:
            return self.leases.claim_run(hint.event_id, owner)
        project_id = hint.project_id or self._project_of(hint)
        for tried in range(_TRIES):
            delivery, endpoint = self.leases.look(hint.event_id, hint.endpoint_id, project_id)
            now = self.clock()
            if delivery is None or not delivery.is_claimable(now) or delivery.project_id != project_id:
                return None
            if tried + 1 == _TRIES:
                self._defer(delivery, now)
                return None
            held, is_settled = self._settle(delivery, endpoint, owner, now)
            if is_settled:
                return held
            # One of the two rows was just changed by another worker: look again.
            self.sleep(random.uniform(0.002, 0.01) * 2**tried)  # noqa: S311 - jitter, no secret
        return None

    def _settle(self, delivery: Delivery, endpoint: Endpoint | None, owner: str, now: int) -> tuple[Held | None, bool]:
        """What is held if anything, and whether the rows took what was decided."""
        if endpoint is None:
            return None, self.leases.cancel(delivery)
        if not endpoint.enabled:
            return None, self.leases.pause(delivery, endpoint)
        free = endpoint.free_leases(now)
        if not free:
            self._defer(delivery, now)
            return None, True
        held = self.leases.claim(delivery, endpoint, free[0], owner)
        return held, held is not None

    def _project_of(self, hint: Hint) -> str:
        delivery = self.deliveries.get_delivery(hint.event_id, hint.endpoint_id)
        return delivery.project_id if delivery is not None else ""

    def _defer(self, delivery: Delivery, now: int) -> None:
        delay_ms = deferral_ms(delivery.deferrals, self.random())
        if self.leases.defer(delivery, now + delay_ms):
            reach("webhook.after_defer")
            self.queues.send_delivery_hint(self.deliveries_queue_url, delivery, delay_ms=delay_ms)
