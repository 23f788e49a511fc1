"""Read the delivery that a sender may claim next: the hinted one, an older one, or the next one in order."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from functions.clock import Clock, now_ms
from functions.failpoint import reach
from functions.webhooks.deliveries.hints import Hint
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID, Delivery, DeliveryState
from functions.webhooks.deliveries.replay import ReplayStore
from functions.webhooks.sending.claim.parking import Parking
from functions.webhooks.sending.claim.snapshots import DeliverySnapshot, Snapshots
from functions.webhooks.sending.lanes.lane import Lane, run_lane_name
from functions.webhooks.sending.lanes.lane_store import LaneStore
from functions.webhooks.sending.lanes.ordered_queue import OrderedQueue

_MOST = 5
"""Parked deliveries of a lane that one call looks at."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Reads deliveries with their endpoint, lane and slots."""

    snapshots: Snapshots
    parking: Parking
    lanes: LaneStore
    queue: OrderedQueue
    replays: ReplayStore
    clock: Clock = now_ms

    def read_claimable(self, hint: Hint) -> DeliverySnapshot | None:
        """Read a delivery with its endpoint, lane and slots; None if it cannot be claimed now."""
        return self._claimable(self._read(hint))

    def read_next(self, hint: Hint) -> DeliverySnapshot | None:
        """Like `read_claimable`. For an ordered endpoint, return the next delivery in order; the hinted one waits.

        A paused one is due again, because its endpoint is enabled. A replay has no place in the order.
        """
        snapshot = self._read(hint)
        if snapshot is None or not snapshot.lane.is_ordered or snapshot.is_off:
            return self._claimable(snapshot)
        first = self.queue.first(snapshot.lane)
        is_first = first is not None and first.event_id == snapshot.delivery.event_id
        if not is_first and (waits := self._claimable(snapshot)) is not None:
            if not self.queue.has(waits.delivery):
                return waits
            if first is not None:
                self.parking.wait_in_order(waits)
                reach("webhook.after_wait")
        if first is None:
            return None
        is_paused = first.state is DeliveryState.PAUSED
        if is_paused:
            self.replays.recover(first, self.clock())
            reach("webhook.after_resume")
        upcoming: DeliverySnapshot | None = snapshot
        if is_paused or not is_first:
            upcoming = self._read(Hint(first.event_id, first.endpoint_id, hint.project_id, hint.host))
        return self._claimable(None if upcoming is None else replace(upcoming, is_next=True, lane=snapshot.lane))

    def following(self, done: Delivery, lane: Lane) -> Iterator[DeliverySnapshot]:
        """Yield claimable deliveries of a lane, for a sender that is done with one of them and keeps its slot."""
        for event_id, endpoint_id in self._names(done, lane):
            snapshot = self.read_next(Hint(event_id, endpoint_id, lane.project_id, lane.host))
            if snapshot is not None and snapshot.lane.ref == lane.ref and snapshot.lane.host == lane.host:
                yield snapshot

    def _names(self, done: Delivery, lane: Lane) -> Iterator[tuple[str, str]]:
        if lane.is_ordered:
            yield done.event_id, done.endpoint_id  # leads to the next one (`read_next`)
        yield from self.lanes.oldest(lane, _MOST)

    def older(self, snapshot: DeliverySnapshot) -> DeliverySnapshot | None:
        """Return a delivery of the same lane that has waited longer; None if there is none."""
        for event_id, endpoint_id in self.lanes.oldest(snapshot.lane, _MOST, snapshot.delivery.next_at_ms):
            if (event_id, endpoint_id) == (snapshot.delivery.event_id, snapshot.delivery.endpoint_id):
                return None
            older = self.read_claimable(Hint(event_id, endpoint_id, snapshot.slots.project_id, snapshot.lane.host))
            if older is not None and older.lane.ref == snapshot.lane.ref and older.delivery.lane_at_ms is not None:
                return older
        return None

    def _read(self, hint: Hint) -> DeliverySnapshot | None:
        """Read a delivery with its endpoint, lane and slots; None if it is gone or another project's."""
        lane = hint.endpoint_id if hint.endpoint_id != RUN_ENDPOINT_ID else run_lane_name(hint.host)
        snapshot = self.snapshots.read(hint.event_id, hint.endpoint_id, hint.project_id, lane)
        return snapshot if snapshot is not None and snapshot.delivery.project_id == hint.project_id else None

    def _claimable(self, snapshot: DeliverySnapshot | None) -> DeliverySnapshot | None:
        return snapshot if snapshot is not None and snapshot.delivery.is_claimable(self.clock()) else None
