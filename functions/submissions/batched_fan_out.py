"""Bus-only fan-outs, announced in batches about a second after their answers.

One by one they would cost three more calls each. `submit` only commits and triggers `record`, which runs a batch here.
Like every fan-out a batch may be repeated. Unfinished rows stay due: the next batch or the sweeper handles them.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from functions.clock import Clock, now_ms
from functions.failpoint import reach
from functions.ids import new_id
from functions.submissions.batch_lease import BatchLease
from functions.submissions.batch_store import BatchStore
from functions.submissions.completed_event import completed_event, whole_body
from functions.submissions.fan_out import FanOut
from functions.submissions.model import Fanout, Submission
from functions.submissions.views import result_body
from functions.webhooks.deliveries.model import Event
from functions.webhooks.event_bus import BusRefusedError

_PER_SHARD = 25
_MAX_SECS = 15
"""Half of the timeout of `record`. The next batch or the sweeper handles the remaining rows."""


@dataclass(frozen=True, slots=True)
class BatchedFanOut:
    """Makes bus-only fan-outs in batches."""

    lease: BatchLease
    rows: BatchStore
    fanout: FanOut
    clock: Clock = now_ms
    monotonic: Callable[[], float] = time.monotonic

    def fan_out_due(self) -> None:
        """Fan out all due rows. Raises the errors of the tables and the bus; the rows then stay due."""
        owner = new_id()
        if not self.lease.acquire(owner):
            return  # the owner of the lease reads again before it releases the lease
        reach("gathering.after_take")
        try:
            until = self.monotonic() + _MAX_SECS
            while self.monotonic() < until:
                rows = self.rows.due(self.clock(), _PER_SHARD)
                self._fan_out([row for row in rows if row.is_final and row.fanout is Fanout.PENDING])
                # A page that is full may not be the last one.
                if len(rows) < _PER_SHARD and self.lease.release(owner):
                    return
        except Exception:
            self.lease.force_release(owner)
            raise
        self.lease.force_release(owner)

    def _fan_out(self, rows: list[Submission]) -> None:
        for some in _grouped(rows, lambda row: (row.project_id, row.profile)):
            self.fanout.quotas.release_if_held([row.quota_claim for row in some])
        reach("fanout.after_release")
        complete, events = self._split(rows)
        refused = self.fanout.outbox.bus.publish_all(events)
        reach("fanout.after_bus")
        reach("fanout.before_done")
        self.rows.finish([event.submission_id for event in events if event.event_id not in refused])
        for row in complete:
            self.fanout.fan_out(row)
        for code in refused.values():
            raise BusRefusedError(code)

    def _split(self, rows: list[Submission]) -> tuple[list[Submission], list[Event]]:
        """Return rows that need a complete fan-out, and the events of the bus-only rows."""
        complete: list[Submission] = []
        events: list[Event] = []
        for some in _grouped(rows, lambda row: row.project_id):
            # A consistent read now: an endpoint that existed at the end of the run must get the event.
            has_endpoints = self.fanout.outbox.endpoints.has_any(some[0].project_id)
            for row in some:
                event = None if has_endpoints else _plain_event(row)
                if event is None:
                    complete.append(row)
                else:
                    events.append(event)
        return complete, events


def _plain_event(row: Submission) -> Event | None:
    """Return the event if it needs no delivery, no object of the bucket and no cut; else None."""
    if row.webhook_url is not None or row.stdout_key is not None or row.stderr_key is not None:
        return None
    body = whole_body(
        lambda stdout, stderr: result_body(row, stdout, stderr), stdout=row.stdout or b"", stderr=row.stderr or b""
    )
    return None if body is None else completed_event(row, body)


def _grouped[Key](rows: Iterable[Submission], key: Callable[[Submission], Key]) -> Iterable[list[Submission]]:
    groups: defaultdict[Key, list[Submission]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups.values()
