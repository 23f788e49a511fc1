"""Reads of the due index of the submissions table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.aws.dynamodb.batch import read_rows
from functions.aws.dynamodb.items import from_item, key, to_item
from functions.submissions.rows import SUBMISSION_SK, submission_pk

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

DUE_INDEX = "due"


def row_key(submission_id: str) -> dict[str, AttributeValueTypeDef]:
    """Return the primary key of a submission."""
    return key(submission_pk(submission_id), SUBMISSION_SK)


def list_due(client: DynamoDBClient, table_name: str, shard: str, now_ms: int, limit: int) -> list[tuple[str, int]]:
    """Return (submission id, due_at_ms) of rows due by `now_ms`, oldest first."""
    pages = client.get_paginator("query").paginate(
        TableName=table_name,
        IndexName=DUE_INDEX,
        KeyConditionExpression="due_shard = :shard AND due_at_ms <= :now",
        ExpressionAttributeValues=to_item({":shard": shard, ":now": now_ms}),
        PaginationConfig={"MaxItems": limit, "PageSize": limit},
    )
    rows = [from_item(item) for page in pages for item in page["Items"]]
    return [(row["pk"].removeprefix("SUBMISSION#"), row["due_at_ms"]) for row in rows]


def list_projects(client: DynamoDBClient, table_name: str, submission_ids: list[str]) -> dict[str, str]:
    """Return the project of each submission, without deleted ones."""
    keys = [row_key(submission_id) for submission_id in submission_ids]
    found = read_rows(client, table_name, keys, ("pk", "project_id"))
    return {row["pk"].removeprefix("SUBMISSION#"): row["project_id"] for row in found}
