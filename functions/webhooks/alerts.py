"""Alerts: events about failing endpoints and deliveries, for the project's other endpoints and the bus.

Their bodies have the host of a URL only. The sweeper handles the rows that are due: those of endpoints after a failure,
and one for each target of a project with exhausted deliveries without an event yet, another with blocked ones. The
transaction that exhausts or blocks a delivery counts it there. Its row stays for QUIET_MS: so a target has at most one
`delivery.exhausted` in that time, however many deliveries fail. Its attribute `telling` is the count of an event that
is being published, the same after a crash.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import key
from functions.aws.dynamodb.table import Table, due_shard
from functions.clock import MS_PER_SEC, Clock, now_ms, to_rfc3339
from functions.event_log.model import Event, event_bytes
from functions.failpoint import reach
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.deliveries.publication import Outbox
from functions.webhooks.deliveries.store import BLOCKED_PREFIX, DUE, EXHAUSTED_PREFIX
from functions.webhooks.endpoints.model import DisabledReason, deciding_rate, is_degraded
from functions.webhooks.endpoints.store import HEALTH_CHANGE, endpoint_key, endpoint_pk, to_endpoint
from functions.webhooks.vocabulary import (
    EVENT_BLOCKED,
    EVENT_DEGRADED,
    EVENT_DISABLED,
    EVENT_EXHAUSTED,
    EVENT_RECOVERED,
    NEVER,
)
from functions.webhooks.webhook_url import host_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.aws.dynamodb.items import Value
    from functions.env import Env
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.deliveries.store import DueEndpoint, DueExhausted
    from functions.webhooks.endpoints.model import Endpoint, HealthChange

QUIET_MS = 3_600_000
_TTL_SECS = 8 * 86_400
CHECK_AGAIN_MS = 300_000
"""A degraded endpoint is checked so often, because successes make no row due."""


@dataclass(frozen=True, slots=True)
class ExhaustedDeliveries:
    """The row of one target. `endpoint_id`: `run` for the runs' own URLs. `count`: of the event to publish; 0: none.

    `prefix`: that of the row, which says whether these are exhausted or blocked.
    """

    project_id: str
    endpoint_id: str
    since_ms: int
    last_delivery: str
    count: int
    prefix: str = EXHAUSTED_PREFIX

    @property
    def key(self) -> dict[str, Any]:
        return exhausted_key(self.project_id, self.endpoint_id, self.prefix)


def count_exhausted(table_name: str, delivery: Delivery, now_ms: int) -> Any:
    """Return the action that counts an exhausted delivery, for the transaction that exhausts it."""
    return _count(table_name, EXHAUSTED_PREFIX, delivery, now_ms)


def count_blocked(table_name: str, delivery: Delivery, now_ms: int) -> Any:
    """Return the action that counts a blocked delivery, for the transaction that blocks it."""
    return _count(table_name, BLOCKED_PREFIX, delivery, now_ms)


def _count(table_name: str, prefix: str, delivery: Delivery, now_ms: int) -> Any:
    update = ConditionalUpdate(
        {
            "last_delivery": f"{delivery.event_id}.{delivery.endpoint_id}",
            "ttl": now_ms // MS_PER_SEC + _TTL_SECS,
        },
        "",
        {"zero": 0, "one": 1, "now": now_ms, "shard": due_shard(delivery.event_id)},
        computed=(
            "#count = if_not_exists(#count, :zero) + :one",
            "#since_ms = if_not_exists(#since_ms, :now)",
            "#due_shard = if_not_exists(#due_shard, :shard)",
            "#due_at_ms = if_not_exists(#due_at_ms, :now)",
        ),
    )
    return update.action(table_name, exhausted_key(delivery.project_id, delivery.endpoint_id, prefix))


def exhausted_key(project_id: str, endpoint_id: str, prefix: str = EXHAUSTED_PREFIX) -> dict[str, Any]:
    """Return the key of the row of a target. `prefix`: of its exhausted or its blocked deliveries."""
    return key(endpoint_pk(project_id), prefix + endpoint_id)


_NAMESPACE = uuid.UUID("5f3a1de2-6f84-4c7e-9a06-2f1c9f0d7b58")


def health_event(endpoint: Endpoint, change: HealthChange, now_ms: int) -> Event:
    """Build the event of a change of health. Its id is the same on every call for one change."""
    window, rate = deciding_rate(endpoint, now_ms)
    body = {
        "type": change.type,
        "timestamp": change.at,
        "endpoint_id": endpoint.endpoint_id,
        "host": host_of(endpoint.url),
        "degraded_at": change.degraded_at,
        "window": window,
        "attempts": round(rate.attempts),
        "failures": round(rate.failures),
    }
    return _event(change.type, endpoint.project_id, f"{endpoint.endpoint_id}:{change.type}:{change.at}", body)


def disabled_event(endpoint: Endpoint) -> Event:
    """Build the event of a disabled endpoint. It is the same on every call for one disabling."""
    body = {
        "type": EVENT_DISABLED,
        "timestamp": endpoint.disabled_at,
        "endpoint_id": endpoint.endpoint_id,
        "host": host_of(endpoint.url),
        "reason": endpoint.disabled_reason,
    }
    name = f"{endpoint.endpoint_id}:{EVENT_DISABLED}:{endpoint.disabled_at}"
    return _event(EVENT_DISABLED, endpoint.project_id, name, body)


def exhausted_event(exhausted: ExhaustedDeliveries) -> Event:
    """Build the event of exhausted or blocked deliveries of one target."""
    since = to_rfc3339(exhausted.since_ms)
    event_type = EVENT_BLOCKED if exhausted.prefix == BLOCKED_PREFIX else EVENT_EXHAUSTED
    body = {
        "type": event_type,
        "timestamp": since,
        "endpoint_id": exhausted.endpoint_id,
        "deliveries": exhausted.count,
        "last_delivery_id": exhausted.last_delivery,
    }
    name = f"{exhausted.project_id}:{exhausted.endpoint_id}:{event_type}:{since}"
    return _event(event_type, exhausted.project_id, name, body)


def _event(event_type: str, project_id: str, name: str, body: dict[str, Any]) -> Event:
    return Event(str(uuid.uuid5(_NAMESPACE, name)), event_type, project_id, event_bytes(body))


class Alerts(Table):
    """Checks endpoints and publishes exhausted deliveries whose rows are due. A method returns False for a stale entry.

    A failed or crashed call leaves the row due at `taken_until_ms`, the due key of our take, and then publishes an
    event with the same id. A row changes only if it still has that key.
    """

    def __init__(self, table_name: str, client: DynamoDBClient, outbox: Outbox, clock: Clock = now_ms) -> None:
        super().__init__(table_name, client, clock)
        self.outbox = outbox

    @classmethod
    def from_env(cls, env: Env) -> Alerts:
        return cls(env.settings.deliveries_table, env.dynamodb, env[Outbox], env.clock)

    def publish_disabled(self, endpoint: Endpoint) -> None:
        """Publish `endpoint.disabled` to the project's other endpoints and the bus, once for each disabling.

        The write that disables an endpoint also makes its row due; this then clears the due key. After a crash the
        sweeper publishes the event. Repeating the call is safe.
        """
        # No event if the endpoint was enabled again, or if its owner disabled it.
        if not endpoint.enabled and endpoint.disabled_reason in {DisabledReason.GONE, DisabledReason.FAILING}:
            self.outbox.publish(disabled_event(endpoint), skip_endpoint_id=endpoint.endpoint_id)
        reach("disabled_event.before_done")
        self._finish_disabled_event(endpoint)

    def check_endpoint(self, due: DueEndpoint, taken_until_ms: int) -> bool:
        """Check the health of an endpoint, and publish a change."""
        row = self._take(endpoint_key(due.project_id, due.endpoint_id), due.due_at_ms, taken_until_ms)
        if row is None:
            return False
        reach("sweep.after_take")
        self.check_health(to_endpoint(row), taken_until_ms)
        return True

    def check_health(self, endpoint: Endpoint, taken_until_ms: int) -> None:
        """Publish an event that a taken endpoint owes, then look at its health, and publish the change.

        Raises the errors of the table, the queue and the bus. The row is due again then.
        """
        self._publish_change(endpoint)
        if not endpoint.enabled:
            self.publish_disabled(endpoint)
            return
        is_bad = is_degraded(endpoint, self._clock())
        if is_bad != (endpoint.degraded_at is not None):
            changed = self._change(endpoint, is_degraded=is_bad, taken_until_ms=taken_until_ms)
            reach("health.after_change")
            if changed is None:  # its project or a sender changed it: the row is due again
                return
            self._publish_change(changed)
            endpoint = changed
        self._finish_check(endpoint, taken_until_ms)

    def publish_exhausted(self, due: DueExhausted, taken_until_ms: int) -> bool:
        """Publish `delivery.exhausted` or `delivery.blocked` for the deliveries of one target."""
        row = self._take_exhausted(due, taken_until_ms)
        if row is None:
            return False
        reach("sweep.after_take")
        if not row.count:
            self._end_exhausted(row, taken_until_ms)
            return True
        skipped = None if row.endpoint_id == RUN_ENDPOINT_ID else row.endpoint_id
        self.outbox.publish(exhausted_event(row), skip_endpoint_id=skipped)
        reach("exhausted.before_done")
        self._finish_exhausted(row, taken_until_ms)
        return True

    def _publish_change(self, endpoint: Endpoint) -> None:
        change = endpoint.unpublished_change
        if change is None:
            return
        event = health_event(endpoint, change, self._clock())
        self.outbox.publish(event, skip_endpoint_id=endpoint.endpoint_id)
        reach("health.before_done")
        self._finish_event(endpoint, change)

    def _change(self, endpoint: Endpoint, *, is_degraded: bool, taken_until_ms: int) -> Endpoint | None:
        """Write that an endpoint is degraded or has recovered, with the event that this owes; None if it changed."""
        at = to_rfc3339(self._clock())
        change = (EVENT_DEGRADED, at, at) if is_degraded else (EVENT_RECOVERED, at, endpoint.degraded_at or at)
        sets: dict[str, Value] = dict(zip(HEALTH_CHANGE, change, strict=True))
        condition = "#due_at_ms = :taken AND #updated_at = :seen_at"
        values: dict[str, Value] = {"taken": taken_until_ms, "seen_at": endpoint.updated_at}
        if is_degraded:
            update = ConditionalUpdate({**sets, "degraded_at": at}, condition, values)
        else:
            update = ConditionalUpdate(sets, condition, values, ("degraded_at",))
        row = self._update(update, endpoint_key(endpoint.project_id, endpoint.endpoint_id))
        return None if row is None else to_endpoint(row)

    def _finish_event(self, endpoint: Endpoint, change: HealthChange) -> None:
        """Note that the event of a change is published, unless the endpoint has changed again."""
        update = ConditionalUpdate({}, "#untold_at = :at", {"at": change.at}, HEALTH_CHANGE)
        self._update_unread(update, endpoint_key(endpoint.project_id, endpoint.endpoint_id))

    def _finish_disabled_event(self, endpoint: Endpoint) -> None:
        """Clear the due key after `endpoint.disabled`, unless the endpoint was disabled again or owes another event."""
        condition = "attribute_not_exists(#disabled_at)"
        values: dict[str, Value] = {}
        if endpoint.disabled_at is not None:
            condition += " OR #disabled_at = :seen"
            values["seen"] = endpoint.disabled_at
        update = ConditionalUpdate(
            {},
            f"attribute_exists(#pk) AND attribute_not_exists(#untold_type) AND ({condition})",
            values,
            DUE,
        )
        self._update_unread(update, endpoint_key(endpoint.project_id, endpoint.endpoint_id))

    def _finish_check(self, endpoint: Endpoint, taken_until_ms: int) -> None:
        """Plan the next check of a degraded endpoint. Others are due no more, unless they have failed again."""
        condition = "#due_at_ms = :taken"
        values: dict[str, Value] = {"taken": taken_until_ms}
        if endpoint.degraded_at is not None:
            update = ConditionalUpdate({"due_at_ms": self._clock() + CHECK_AGAIN_MS}, condition, values)
        elif endpoint.traffic.hour.period == NEVER:
            update = ConditionalUpdate({}, f"{condition} AND attribute_not_exists(#hour)", values, DUE)
        else:
            hour = endpoint.traffic.hour
            values |= {"hour": hour.period, "failures": hour.failures}
            condition += " AND #hour = :hour AND #hour_failures = :failures"
            update = ConditionalUpdate({}, condition, values, DUE)
        self._update_unread(update, endpoint_key(endpoint.project_id, endpoint.endpoint_id))

    def _take_exhausted(self, due: DueExhausted, taken_until_ms: int) -> ExhaustedDeliveries | None:
        """Take a due row by moving its due key, and fix the count to publish; None for a stale entry."""
        row_key = exhausted_key(due.project_id, due.endpoint_id, due.prefix)
        row = self._take(row_key, due.due_at_ms, taken_until_ms)
        if row is not None and "telling" not in row and row["count"]:
            fix = ConditionalUpdate(
                {},
                "#due_at_ms = :taken",
                {"taken": taken_until_ms, "now": self._clock()},
                computed=("#telling = #count", "#since_ms = if_not_exists(#since_ms, :now)"),
            )
            row = self._update(fix, row_key)
        if row is None:
            return None
        since_ms, count = row.get("since_ms", 0), row.get("telling", 0)
        last_delivery = row["last_delivery"]
        return ExhaustedDeliveries(due.project_id, due.endpoint_id, since_ms, last_delivery, count, due.prefix)

    def _finish_exhausted(self, published: ExhaustedDeliveries, taken_until_ms: int) -> None:
        """Subtract the published count. Later deliveries have their event after QUIET_MS."""
        update = ConditionalUpdate(
            {"due_at_ms": self._clock() + QUIET_MS},
            "#due_at_ms = :taken",
            {"taken": taken_until_ms},
            ("telling", "since_ms"),
            computed=("#count = #count - #telling",),
        )
        self._update_unread(update, published.key)

    def _end_exhausted(self, ended: ExhaustedDeliveries, taken_until_ms: int) -> None:
        """Remove the due key of a row with the count 0, unless a delivery was exhausted since."""
        values: dict[str, Value] = {"taken": taken_until_ms, "zero": 0}
        update = ConditionalUpdate({}, "#due_at_ms = :taken AND #count = :zero", values, DUE)
        self._update_unread(update, ended.key)
