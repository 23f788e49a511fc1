"""Endpoint rows. Every change is one conditional write, because senders change the same rows."""

from __future__ import annotations

import time
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import Value, to_item
from functions.aws.dynamodb.transaction import CONDITION_FAILED, CONFLICT, transact
from functions.clock import Clock, from_rfc3339, now_ms, to_rfc3339
from functions.webhooks.endpoints.deletions import deletion_put
from functions.webhooks.endpoints.model import MAX_ENDPOINTS
from functions.webhooks.endpoints.rows import (
    ENDPOINT_PREFIX,
    count_key,
    endpoint_key,
    endpoint_pk,
    endpoint_row,
    to_endpoint,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.webhooks.endpoints.model import Endpoint


_TRIES = 6
_LONGEST_PAUSE_SECS = 0.1


class EndpointLimitError(Exception):
    """The project already has MAX_ENDPOINTS endpoints."""


class EndpointsContendedError(Exception):
    """Other writers kept changing the same rows. Nothing was written."""


class EndpointStore:
    """Endpoint rows of the deliveries table. Reads are consistent.

    A counter row changes in the same transaction as each creation and deletion. So concurrent requests cannot exceed
    MAX_ENDPOINTS.
    """

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        self._table = table_name
        self._client = client
        self._clock = clock

    def create(self, endpoint: Endpoint) -> bool:
        """Write a new endpoint; False if its id exists: our own earlier write, whose response was lost.

        Raises EndpointLimitError, EndpointsContendedError.
        """
        put = {
            "TableName": self._table,
            "Item": to_item(endpoint_row(endpoint)),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        codes = self._transact(
            {"Put": put},
            self._count("if_not_exists(#count, :zero) + :one", {":zero": 0, ":one": 1, ":most": MAX_ENDPOINTS})
            | {"ConditionExpression": "attribute_not_exists(#count) OR #count < :most"},
            endpoint.project_id,
        )
        if codes[:1] == (CONDITION_FAILED,):
            return False
        if codes:
            raise EndpointLimitError
        return True

    def get(self, project_id: str, endpoint_id: str) -> Endpoint | None:
        """Read one endpoint of the project."""
        found = self._client.get_item(
            TableName=self._table, Key=endpoint_key(project_id, endpoint_id), ConsistentRead=True
        )
        return to_endpoint(found["Item"]) if "Item" in found else None

    def list_all(self, project_id: str) -> list[Endpoint]:
        """Return all endpoints of the project, oldest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": endpoint_pk(project_id), ":prefix": ENDPOINT_PREFIX}),
            ConsistentRead=True,
        )
        found = [to_endpoint(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda endpoint: (endpoint.created_at, endpoint.endpoint_id))

    def has_any(self, project_id: str) -> bool:
        """Whether the project has any endpoint."""
        found = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": endpoint_pk(project_id), ":prefix": ENDPOINT_PREFIX}),
            Select="COUNT",
            Limit=1,
            ConsistentRead=True,
        )
        return found["Count"] > 0

    def push_back(self, project_id: str, endpoint_id: str, seen_due_at_ms: int, due_at_ms: int) -> Endpoint | None:
        """Move the due key of an endpoint with an unpublished `endpoint.disabled`; None for a stale entry."""
        update = ConditionalUpdate({"due_at_ms": due_at_ms}, "#due_at_ms = :seen", {"seen": seen_due_at_ms})
        item = update.apply(self._client, self._table, endpoint_key(project_id, endpoint_id))
        return to_endpoint(item) if item is not None else None

    def finish_disabled_event(self, endpoint: Endpoint) -> None:
        """Clear the due key after `endpoint.disabled`, unless the endpoint was disabled again meanwhile."""
        condition = "attribute_not_exists(#disabled_at)"
        values: dict[str, Value] = {}
        if endpoint.disabled_at is not None:
            condition += " OR #disabled_at = :seen"
            values["seen"] = endpoint.disabled_at
        update = ConditionalUpdate({}, f"attribute_exists(#pk) AND ({condition})", values, ("due_shard", "due_at_ms"))
        update.is_applied(self._client, self._table, _key(endpoint))

    def change(
        self, project_id: str, endpoint_id: str, sets: Mapping[str, Value], removes: tuple[str, ...] = ()
    ) -> Endpoint | None:
        """Set and remove attributes of `endpoint_row`; None if there is no such endpoint."""
        update = ConditionalUpdate(sets, "attribute_exists(#pk)", {}, removes)
        item = update.apply(self._client, self._table, endpoint_key(project_id, endpoint_id))
        return to_endpoint(item) if item is not None else None

    def change_if_unchanged(
        self, seen: Endpoint, now_ms: int, sets: Mapping[str, Value], removes: tuple[str, ...] = ()
    ) -> Endpoint | None:
        """Like `change`, but None if the settings have changed since `seen` was read, or the endpoint is gone.

        Sets `updated_at` to a new value each time, because it serves as the version of the settings.
        """
        updated_at = to_rfc3339(max(now_ms, from_rfc3339(seen.updated_at) + 1))
        update = ConditionalUpdate(
            {**sets, "updated_at": updated_at},
            "attribute_exists(#pk) AND #updated_at = :seen_at AND #enabled = :seen_enabled",
            {"seen_at": seen.updated_at, "seen_enabled": seen.enabled},
            removes,
        )
        item = update.apply(self._client, self._table, _key(seen))
        return to_endpoint(item) if item is not None else None

    def begin_work(self, endpoint: Endpoint, now_ms: int, until_ms: int) -> bool:
        """Lock the endpoint for a long call until `until_ms`; False if another call has the lock, or it is gone."""
        update = ConditionalUpdate(
            {"busy_until_ms": until_ms},
            "attribute_exists(#pk) AND (attribute_not_exists(#busy_until_ms) OR #busy_until_ms <= :now)",
            {"now": now_ms},
        )
        return update.is_applied(self._client, self._table, _key(endpoint))

    def end_work(self, endpoint: Endpoint, until_ms: int) -> None:
        """Unlock the endpoint, if the lock is still ours."""
        update = ConditionalUpdate({}, "#busy_until_ms = :ours", {"ours": until_ms}, ("busy_until_ms",))
        update.is_applied(self._client, self._table, _key(endpoint))

    def delete(self, project_id: str, endpoint_id: str) -> int | None:
        """Delete an endpoint; None if there is no such endpoint. Raises EndpointsContendedError.

        Returns the due time of its deletion row, for `Deletions.cancel_paused`.
        """
        now = self._clock()
        delete = {
            "TableName": self._table,
            "Key": endpoint_key(project_id, endpoint_id),
            "ConditionExpression": "attribute_exists(pk)",
        }
        count = self._count("if_not_exists(#count, :one) - :one", {":one": 1})
        leave = deletion_put(self._table, project_id, endpoint_id, now)
        return None if self._transact({"Delete": delete}, count, project_id, leave) else now

    @staticmethod
    def _count(change: str, values: Mapping[str, Value]) -> dict[str, Any]:
        return {
            "UpdateExpression": f"SET #count = {change}",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": to_item(values),
        }

    def _transact(self, write: dict[str, Any], count: dict[str, Any], project_id: str, *others: Any) -> tuple[str, ...]:
        """Write all rows and retry conflicts; return () or the codes of the failure."""
        update = {"TableName": self._table, "Key": count_key(project_id), **count}
        for _ in range(_TRIES):
            codes = transact(self._client, [write, {"Update": update}, *others])
            if CONFLICT not in codes:
                return codes
            time.sleep(SystemRandom().uniform(0, _LONGEST_PAUSE_SECS))
        raise EndpointsContendedError


def _key(endpoint: Endpoint) -> dict[str, Any]:
    return endpoint_key(endpoint.project_id, endpoint.endpoint_id)
