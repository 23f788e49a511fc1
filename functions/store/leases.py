"""Who may send a delivery now. A lease decides: one of the delivery, and for a project's endpoint one of its few.

Both are taken in one transaction, with the endpoint enabled at that moment. A lease ends by itself after 60 s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from functions.core.clock import Clock, now_ms
from functions.core.delivery import LEASE_MS, RUN_ENDPOINT_ID, Delivery, DeliveryState
from functions.core.due_index import due_shard
from functions.store.conditional import ConditionalUpdate
from functions.store.delivery_rows import delivery_key, to_delivery
from functions.store.endpoint_rows import endpoint_key, lease_name, to_endpoint
from functions.store.transaction import transact

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.core.endpoint import Endpoint
    from functions.store.items import Value

_DUE = ("due_shard", "due_at_ms")
_LEASE = ("lease_until_ms", "lease_owner")
_CLAIMABLE = (  # as Delivery.is_claimable
    "(#state = :pending OR (#state = :retrying AND #next_at_ms <= :now)"
    " OR (#state = :sending AND #lease_until_ms <= :now))"
)


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery that is ours until its `lease_until_ms`. `lease`: number of its endpoint's; a run's URL has none."""

    delivery: Delivery
    endpoint: Endpoint | None = None
    lease: int = 0


class Leases:
    """Deliveries and endpoints, as far as leases go."""

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        self._table = table_name
        self._client = client
        self._clock = clock

    def look(self, event_id: str, endpoint_id: str, project_id: str) -> tuple[Delivery | None, Endpoint | None]:
        """Read a delivery and its endpoint in one request, consistently."""
        keys = [delivery_key(event_id, endpoint_id), endpoint_key(project_id, endpoint_id)]
        answer = self._client.batch_get_item(RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}})
        found = answer["Responses"].get(self._table, [])
        left = answer.get("UnprocessedKeys", {}).get(self._table)
        for key in left["Keys"] if left else ():
            # The table is throttled, which a batch does not raise.
            item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
            found = [*found, item] if item else found
        items = {item["sk"]["S"]: item for item in found}
        delivery, endpoint = (items.get(key["sk"]["S"]) for key in keys)
        return to_delivery(delivery) if delivery else None, to_endpoint(endpoint) if endpoint else None

    def claim_run(self, event_id: str, owner: str) -> Held | None:
        """Claim the delivery of a run's own URL; None when it is not due, leased by another, final or gone."""
        now = self._clock()
        update = ConditionalUpdate(_claim(event_id, owner, now), _CLAIMABLE, _claimable(now))
        item = update.apply(self._client, self._table, delivery_key(event_id, RUN_ENDPOINT_ID))
        return Held(to_delivery(item)) if item is not None else None

    def claim(self, delivery: Delivery, endpoint: Endpoint, lease: int, owner: str) -> Held | None:
        """Claim a delivery and one lease of its endpoint; None if either is no longer as `look` saw it."""
        now = self._clock()
        until_ms, name = now + LEASE_MS, lease_name(lease)
        take = ConditionalUpdate(
            {name: until_ms},
            f"#enabled = :enabled AND (attribute_not_exists(#{name}) OR #{name} <= :now)",
            {"enabled": True, "now": now},
        )
        claim = self._change(delivery, _claim(delivery.event_id, owner, now), now, ("deferrals",))
        if transact(self._client, [claim, take.action(self._table, _key_of(endpoint))]):
            return None
        ours = replace(delivery, state=DeliveryState.SENDING, lease_until_ms=until_ms, lease_owner=owner, deferrals=0)
        leases = (*endpoint.leases[:lease], until_ms, *endpoint.leases[lease + 1 :])
        return Held(ours, replace(endpoint, leases=leases), lease)

    def pause(self, delivery: Delivery, endpoint: Endpoint) -> bool:
        """Pause a delivery that only its disabled endpoint keeps from being claimed; False if either has changed."""
        disabled: Any = {
            "TableName": self._table,
            "Key": _key_of(endpoint),
            "ConditionExpression": "enabled = :enabled",
            "ExpressionAttributeValues": {":enabled": {"BOOL": False}},
        }
        pause = self._change(delivery, {"state": DeliveryState.PAUSED.value}, self._clock(), (*_LEASE, *_DUE))
        return not transact(self._client, [pause, {"ConditionCheck": disabled}])

    def cancel(self, delivery: Delivery) -> bool:
        """Cancel a delivery that could be claimed if its endpoint were there; False if it has changed."""
        cancel = self._change(delivery, {"state": DeliveryState.CANCELLED.value}, self._clock(), (*_LEASE, *_DUE))
        return not transact(self._client, [cancel])

    def defer(self, delivery: Delivery, next_at_ms: int) -> bool:
        """Let a delivery that could be claimed wait for a lease of its endpoint; False if it has changed."""
        sets: dict[str, Value] = {
            "state": (DeliveryState.RETRYING if delivery.attempt else DeliveryState.PENDING).value,
            "next_at_ms": next_at_ms,
            "due_at_ms": next_at_ms,
            "deferrals": delivery.deferrals + 1,
        }
        return not transact(self._client, [self._change(delivery, sets, self._clock(), _LEASE)])

    def drop(self, held: Held) -> bool:
        """Cancel a delivery that we hold because its event is gone; False when the lease is no longer ours."""
        delivery = held.delivery
        cancel = ConditionalUpdate(
            {"state": DeliveryState.CANCELLED.value},
            "#state = :sending AND #lease_owner = :me",
            {"sending": DeliveryState.SENDING.value, "me": delivery.lease_owner or ""},
            (*_LEASE, *_DUE, "secret", "secret_box"),
        )
        key = delivery_key(delivery.event_id, delivery.endpoint_id)
        is_dropped = cancel.is_applied(self._client, self._table, key)
        if held.endpoint is not None:
            name = lease_name(held.lease)
            free = ConditionalUpdate({}, f"#{name} = :ours", {"ours": delivery.lease_until_ms or 0}, (name,))
            free.is_applied(self._client, self._table, _key_of(held.endpoint))
        return is_dropped

    def _change(self, delivery: Delivery, sets: dict[str, Value], now: int, removes: tuple[str, ...]) -> Any:
        """Change a row that is claimable, and still the one that was read."""
        update = ConditionalUpdate(
            sets,
            f"{_CLAIMABLE} AND #attempt = :seen_attempt",
            {**_claimable(now), "seen_attempt": delivery.attempt},
            removes,
        )
        return update.action(self._table, delivery_key(delivery.event_id, delivery.endpoint_id))


def _claim(event_id: str, owner: str, now: int) -> dict[str, Value]:
    until_ms = now + LEASE_MS
    return {
        "state": DeliveryState.SENDING.value,
        "lease_until_ms": until_ms,
        "lease_owner": owner,
        "due_shard": due_shard(event_id),
        "due_at_ms": until_ms,
    }


def _claimable(now: int) -> dict[str, Value]:
    states = (DeliveryState.PENDING, DeliveryState.RETRYING, DeliveryState.SENDING)
    return {**{state.value: state.value for state in states}, "now": now}


def _key_of(endpoint: Endpoint) -> Any:
    return endpoint_key(endpoint.project_id, endpoint.endpoint_id)
