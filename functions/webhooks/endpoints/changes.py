"""Create, change and delete endpoints. Each is one transaction that also renews the version of the project's endpoints.

Senders change the health of the same rows (`sending.attempts`). That needs no new version: before each send the claim
checks that the endpoint is enabled.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ABSENT, EXISTS, ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import Value, from_item, key, to_item
from functions.aws.dynamodb.transaction import Refusal, transact_or_raise
from functions.clock import MS_PER_SEC, Clock, from_rfc3339, now_ms, to_rfc3339
from functions.event_log.rows import count_key
from functions.projects.store import renew_endpoints_version
from functions.webhooks.endpoints.model import MAX_ENDPOINTS, MAX_ORDERED
from functions.webhooks.endpoints.store import deletion_row, endpoint_key, endpoint_pk, endpoint_row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.webhooks.endpoints.model import Endpoint


_CLAIM_SECS = 86_400


@dataclass(frozen=True, slots=True)
class CreationClaim:
    """A claimed Idempotency-Key, written with its endpoint: the id of that, and the hash of the request."""

    key_sha256: str
    body_sha256: str
    endpoint_id: str

    @classmethod
    def of(cls, idempotency_key: str, body: str, endpoint_id: str) -> CreationClaim:
        """Return the claim of a key and a request."""
        return cls(_sha256(idempotency_key), _sha256(body), endpoint_id)

    def action(self, table_name: str, project_id: str, now_ms: int) -> Any:
        """Return the Put of the claim, on condition that nobody holds its key."""
        now = now_ms // MS_PER_SEC
        item = {
            **_key(project_id, self.key_sha256),
            **to_item({"endpoint_id": self.endpoint_id, "body_sha256": self.body_sha256, "ttl": now + _CLAIM_SECS}),
        }
        return put(table_name, item, f"{ABSENT} OR #ttl <= :now", {"now": now})

    def find(self, client: DynamoDBClient, table_name: str, project_id: str, now_ms: int) -> CreationClaim | None:
        """Return the claim that holds the same key; None without one, or if it has expired."""
        at = _key(project_id, self.key_sha256)
        row = from_item(client.get_item(TableName=table_name, Key=at, ConsistentRead=True).get("Item", {}))
        if not row or row["ttl"] <= now_ms // MS_PER_SEC:
            return None
        return CreationClaim(self.key_sha256, row["body_sha256"], row["endpoint_id"])


def _key(project_id: str, key_sha256: str) -> dict[str, Any]:
    return key(endpoint_pk(project_id), f"CREATED#{key_sha256}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class EndpointLimitError(Exception):
    """The project already has MAX_ENDPOINTS endpoints."""


class CreationClaimTakenError(Exception):
    """The Idempotency-Key has already created an endpoint."""


class EndpointChanges:
    """Writes endpoint rows of the deliveries table. All methods raise RowsContendedError.

    A counter row changes in the same transaction as each creation and deletion. So concurrent requests cannot exceed
    MAX_ENDPOINTS. `resume_lane` returns the action that resets the failures of the lane of an endpoint.
    """

    def __init__(
        self,
        table_name: str,
        quotas_table: str,
        client: DynamoDBClient,
        resume_lane: Callable[[str, Endpoint, int], Any],
        clock: Clock = now_ms,
    ) -> None:
        self._table = table_name
        self._quotas_table = quotas_table
        self._client = client
        self._resume_lane = resume_lane
        self._clock = clock

    def create(self, endpoint: Endpoint, claim: CreationClaim | None = None) -> bool:
        """Write a new endpoint; False if its id exists: our own earlier write, whose response was lost.

        Raises EndpointLimitError, CreationClaimTakenError.
        """
        new = put(self._table, to_item(endpoint_row(endpoint)), ABSENT)
        counters = {"count": MAX_ENDPOINTS} | ({"ordered": MAX_ORDERED} if endpoint.ordered else {})
        count = ConditionalUpdate(
            {},
            " AND ".join(f"(attribute_not_exists(#{name}) OR #{name} < :most_{name})" for name in counters),
            {"zero": 0, "one": 1} | {f"most_{name}": most for name, most in counters.items()},
            computed=tuple(f"#{name} = if_not_exists(#{name}, :zero) + :one" for name in counters),
        )
        refusal = self._write(
            endpoint.project_id,
            {
                "endpoint": new,
                "count": self._count(endpoint.project_id, count),
                "claim": [] if claim is None else claim.action(self._table, endpoint.project_id, self._clock()),
            },
        )
        if refusal is None:
            return True
        if "endpoint" in refusal.failed:
            return False
        raise CreationClaimTakenError if "claim" in refusal.failed else EndpointLimitError

    def change(self, before: Endpoint, now_ms: int, sets: Mapping[str, Value], removes: tuple[str, ...] = ()) -> bool:
        """Set and remove attributes of `endpoint_row`; False if the settings have changed since `before` was read.

        Sets `updated_at` to a new value each time, because it serves as the version of the settings.
        """
        updated_at = to_rfc3339(max(now_ms, from_rfc3339(before.updated_at) + 1))
        update = ConditionalUpdate(
            {**sets, "updated_at": updated_at},
            "attribute_exists(#pk) AND #updated_at = :seen_at AND #enabled = :seen_enabled",
            {"seen_at": before.updated_at, "seen_enabled": before.enabled},
            removes,
        )
        key = endpoint_key(before.project_id, before.endpoint_id)
        actions = {"endpoint": update.action(self._table, key)}
        if "failing_since_ms" in removes:
            # An endpoint without failures has a lane without failures, see `sending.attempts`.
            actions["lane"] = self._resume_lane(self._table, before, now_ms)
        return self._write(before.project_id, actions) is None

    def find_claim(self, claim: CreationClaim, project_id: str) -> CreationClaim | None:
        """Return the claim that holds the same Idempotency-Key; None if it is free."""
        return claim.find(self._client, self._table, project_id, self._clock())

    def delete(self, project_id: str, endpoint_id: str, *, ordered: bool = False) -> int | None:
        """Delete an endpoint; None if there is no such endpoint. `ordered`: that of the endpoint.

        Returns the due time of its deletion row, for `Deletions.cancel_open`.
        """
        now = self._clock()
        gone = delete(self._table, endpoint_key(project_id, endpoint_id), EXISTS)
        counters = ("count", "ordered") if ordered else ("count",)
        computed = tuple(f"#{name} = if_not_exists(#{name}, :one) - :one" for name in counters)
        count = ConditionalUpdate({}, "", {"one": 1}, computed=computed)
        deletion = put(self._table, to_item(deletion_row(project_id, endpoint_id, now)))
        actions = {"endpoint": gone, "count": self._count(project_id, count), "deletion": deletion}
        return now if self._write(project_id, actions) is None else None

    def _count(self, project_id: str, change: ConditionalUpdate) -> Any:
        return change.action(self._table, count_key(project_id))

    def _write(self, project_id: str, actions: Mapping[str, Any]) -> Refusal | None:
        """Write all rows and the new version, or return what refused them."""
        renew = renew_endpoints_version(self._quotas_table, project_id, self._clock())
        return transact_or_raise(self._client, {**actions, "version": renew})
