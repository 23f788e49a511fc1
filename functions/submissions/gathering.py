"""The fan-outs of runs that were answered directly, done many at a time, about a second after their answers.

One by one they would cost each answer three calls more. `submit` only commits, and reminds `record`, which comes here.
Like every fan-out it may be repeated: what is not finished here is due again, and the sweeper does it alone.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from functions.clock import Clock, now_ms
from functions.failpoint import reach
from functions.ids import new_id
from functions.submissions.completed_event import completed_event, whole_body
from functions.submissions.fan_out import FanOut
from functions.submissions.gathered_store import GatheredStore
from functions.submissions.gathering_lease import GatheringLease
from functions.submissions.model import Fanout, Submission
from functions.submissions.views import result_body
from functions.webhooks.deliveries.model import Event
from functions.webhooks.event_bus import BusRefusedError

_PER_SHARD = 25
_MAX_SECS = 15
"""Half of what an invocation of `record` has; what is left then is reminded of again, or swept."""


@dataclass(frozen=True, slots=True)
class Gathering:
    """The parts that it needs."""

    lease: GatheringLease
    gathered: GatheredStore
    fanout: FanOut
    clock: Clock = now_ms
    monotonic: Callable[[], float] = time.monotonic

    def fan_out_all(self) -> None:
        """Fan out what is due. Raises what the tables and the bus raise; the rows stay due."""
        owner = new_id()
        if not self.lease.take(owner):
            return  # whoever has it looks again before letting go of it
        reach("gathering.after_take")
        try:
            until = self.monotonic() + _MAX_SECS
            while self.monotonic() < until:
                rows = self.gathered.due(self.clock(), _PER_SHARD)
                self._fan_out([row for row in rows if row.is_final and row.fanout is Fanout.PENDING])
                # A page that is full may not be the last one.
                if len(rows) < _PER_SHARD and self.lease.give_up(owner):
                    return
        except Exception:
            self.lease.abandon(owner)
            raise
        self.lease.abandon(owner)

    def _fan_out(self, rows: list[Submission]) -> None:
        for some in _grouped(rows, lambda row: (row.project_id, row.profile)):
            self.fanout.quotas.release_leftovers([row.quota_claim for row in some])
        reach("fanout.after_release")
        alone, events = self._sorted(rows)
        refused = self.fanout.outbox.bus.publish_all(events)
        reach("fanout.after_bus")
        reach("fanout.before_done")
        self.gathered.finish([event.submission_id for event in events if event.event_id not in refused])
        for row in alone:
            self.fanout.fan_out(row)
        for code in refused.values():
            raise BusRefusedError(code)

    def _sorted(self, rows: list[Submission]) -> tuple[list[Submission], list[Event]]:
        """Rows that owe more than a place on the bus, and the events of those that do not."""
        alone: list[Submission] = []
        events: list[Event] = []
        for some in _grouped(rows, lambda row: row.project_id):
            # Asked only now, consistently: an endpoint that was there when the run ended must hear of it.
            has_endpoints = self.fanout.outbox.endpoints.has_any(some[0].project_id)
            for row in some:
                event = None if has_endpoints else _plain_event(row)
                if event is None:
                    alone.append(row)
                else:
                    events.append(event)
        return alone, events


def _plain_event(row: Submission) -> Event | None:
    """Return the event if it needs neither the bucket nor a cut, and no delivery."""
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
