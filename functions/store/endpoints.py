"""Endpoints of projects. Every change of a row is one conditional write, for deliveries change it at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions.store.conditional import ConditionalUpdate
from functions.store.endpoint_rows import ENDPOINT_PREFIX, endpoint_key, endpoint_pk, endpoint_row, to_endpoint
from functions.store.items import Value, is_condition_failure, to_item

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.core.endpoint import Endpoint


class EndpointStore:
    """Endpoint rows of the deliveries table. Reads are consistent."""

    def __init__(self, table_name: str, client: DynamoDBClient) -> None:
        self._table = table_name
        self._client = client

    def create(self, endpoint: Endpoint) -> bool:
        """Put a new endpoint; False when its id is taken, which is our own write whose answer was lost."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=to_item(endpoint_row(endpoint)),
                ConditionExpression="attribute_not_exists(pk)",
            )
        except ClientError as error:
            if is_condition_failure(error):
                return False
            raise
        return True

    def get(self, project_id: str, endpoint_id: str) -> Endpoint | None:
        """Read one of the project's endpoints."""
        found = self._client.get_item(
            TableName=self._table, Key=endpoint_key(project_id, endpoint_id), ConsistentRead=True
        )
        return to_endpoint(found["Item"]) if "Item" in found else None

    def list_all(self, project_id: str) -> list[Endpoint]:
        """All endpoints of the project, oldest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": endpoint_pk(project_id), ":prefix": ENDPOINT_PREFIX}),
            ConsistentRead=True,
        )
        found = [to_endpoint(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda endpoint: (endpoint.created_at, endpoint.endpoint_id))

    def change(
        self, project_id: str, endpoint_id: str, sets: Mapping[str, Value], removes: tuple[str, ...] = ()
    ) -> Endpoint | None:
        """Set and remove attributes of `endpoint_row`; None when there is no such endpoint."""
        update = ConditionalUpdate(sets, "attribute_exists(#pk)", {}, removes)
        item = update.apply(self._client, self._table, endpoint_key(project_id, endpoint_id))
        return to_endpoint(item) if item is not None else None

    def delete(self, project_id: str, endpoint_id: str) -> bool:
        """Remove it; False when there is no such endpoint."""
        gone = self._client.delete_item(
            TableName=self._table, Key=endpoint_key(project_id, endpoint_id), ReturnValues="ALL_OLD"
        )
        return "Attributes" in gone
