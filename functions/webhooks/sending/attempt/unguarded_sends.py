"""Send the delivery of a fresh hint to a healthy target: no delivery is read, and nothing is written before the send.

The row stays pending meanwhile. If the sender dies, the hint comes again, or the row becomes due. Such a send waits
three seconds for its answer, not fifteen, because no slot limits how many senders it takes from other projects.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.clock import Clock, now_ms
from functions.ttl_cache import TtlCache
from functions.webhooks.sending.attempt.target import Target
from functions.webhooks.sending.claim.leases import SentDelivery
from functions.webhooks.sending.lanes.lane import lane_name
from functions.webhooks.sending.limits.slots import PROJECT_SHARE
from functions.webhooks.target.egress import Wait
from functions.webhooks.target.hosts import host_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.webhooks.deliveries.hints import Hint
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.attempt.signed_request import RequestSigner
    from functions.webhooks.sending.claim.snapshots import Snapshots
    from functions.webhooks.sending.lanes.lane_store import LaneStore
    from functions.webhooks.target.egress import Egress

FRESH_HINT_MS = 2_000
"""The delivery of an older hint is read: its run may be deleted, or another sender may have it."""
FRESH_TARGET_MS = 2_000
"""A change of an endpoint applies to unguarded sends after this time."""
_MOST_TARGETS = 1_000
WAIT_SECS = 3.0
SLOW_SECS = 1.0
"""A send without an answer for this long guards its lane, while it goes on."""
MAX_BODY_BYTES = 8 * 1024
"""A larger body needs a slot, which limits the bytes per second to a host."""
TURN_SECS = 0.1
"""A send waits for this long until another one of its project ends, and then needs a lease and a slot."""


class UnguardedSends:
    """Sends new deliveries without a lease and a slot. `senders`: those of this process; one on Lambda.

    A project makes 1/PROJECT_SHARE of them at once, so that with its slots it takes half of all senders at most.
    """

    def __init__(self, snapshots: Snapshots, lanes: LaneStore, senders: int, clock: Clock = now_ms) -> None:
        self._snapshots = snapshots
        self._lanes = lanes
        self._most = max(1, senders // PROJECT_SHARE)
        self._clock = clock
        self._targets = TtlCache[str, Target](FRESH_TARGET_MS, _MOST_TARGETS, clock)
        self._sends: Counter[str] = Counter()
        self._changed = threading.Condition()

    def send(self, hint: Hint, signer: RequestSigner, egress: Egress) -> SentDelivery | None:
        """Send the new delivery of a hint; None if it needs a lease and a slot. Raises ClientError."""
        delivery, now = hint.new, self._clock()
        if delivery is None or not 0 < len(hint.body) <= MAX_BODY_BYTES:
            return None
        if abs(now - delivery.next_at_ms) > FRESH_HINT_MS or (target := self._target(delivery)).is_guarded(now):
            return None
        with self._turn(delivery.project_id) as may_send:
            request = signer.sign(delivery, target.endpoint, hint.body, self._clock()) if may_send else None
            if request is None:
                return None
            wait = Wait(WAIT_SECS, SLOW_SECS, lambda: self._guard(target))
            send = egress.put if request.is_callback else egress.post
            reply = send(request.url, request.headers, request.body, wait)
        return SentDelivery(delivery, target.endpoint, target.lane, reply, now)

    def note(self, sent: SentDelivery, endpoint: Endpoint | None) -> None:
        """Note the health of a target after an attempt."""
        if endpoint is not None and endpoint != sent.endpoint:
            self._targets.keep(sent.lane.ref, Target(endpoint, sent.lane), sent.read_at_ms)
        elif not sent.reply.is_success:
            self._targets.drop(sent.lane.ref)

    def _target(self, delivery: Delivery) -> Target:
        project_id, host = delivery.project_id, host_of(delivery.url)
        ref = f"{project_id}#{lane_name(delivery, host)}"
        read = self._snapshots.read_target
        return self._targets.get_or_load(ref, lambda: Target(*read(project_id, delivery.endpoint_id, host)))

    def _guard(self, target: Target) -> None:
        with suppress(ClientError, BotoCoreError):  # the next slow send tries again
            self._lanes.guard(target.lane)
        self._targets.drop(target.lane.ref)

    @contextmanager
    def _turn(self, project_id: str) -> Iterator[bool]:
        """Yield whether the project may send now, within its share of this process."""
        with self._changed:
            may_send = self._changed.wait_for(lambda: self._sends[project_id] < self._most, TURN_SECS)
            self._sends[project_id] += may_send
        try:
            yield may_send
        finally:
            with self._changed:
                self._sends[project_id] -= may_send
                self._sends += Counter()  # keeps positive counts only
                self._changed.notify_all()
