"""Idempotency claims: written and deleted in one transaction with their submission's row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.dynamodb.conditional import ABSENT, delete, put
from functions.aws.dynamodb.items import from_item, is_condition_failure, key, to_item
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.submissions.model import CLAIM_SECS, Claim, Status, Submission
from functions.submissions.rows import submission_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


CLAIM_SK = "CLAIM"


def new_claim(table_name: str, submission_id: str, claim: Claim, now_secs: int) -> Any:
    """Return the action that puts a claim, on condition that nobody holds its key."""
    item = to_item(
        {
            "pk": claim.idempotency_pk,
            "sk": CLAIM_SK,
            "submission_id": submission_id,
            "body_sha256": claim.body_sha256,
            "ttl": now_secs + CLAIM_SECS,
        }
    )
    # DynamoDB deletes expired items late; we treat them as deleted.
    condition = f"{ABSENT} OR #ttl <= :now OR submission_id = :replaced"
    return put(table_name, item, condition, {"now": now_secs, "replaced": claim.replaces or ""})


def find_claim(client: DynamoDBClient, table_name: str, claim_pk: str, now_secs: int) -> tuple[str, str] | None:
    """Return (submission id, body_sha256) of a claim that is not expired, or None."""
    answer = client.get_item(TableName=table_name, Key=key(claim_pk, CLAIM_SK), ConsistentRead=True)
    claim = from_item(answer.get("Item", {}))
    if not claim or claim["ttl"] <= now_secs:
        return None
    return claim["submission_id"], claim["body_sha256"]


def delete_with_claim(client: DynamoDBClient, table_name: str, row: Submission) -> bool:
    """Delete a submission and its claim. False if it is running or gone. Raises RowsContendedError."""
    at, values = submission_key(row.submission_id), {"running": Status.RUNNING.value, "project": row.project_id}
    remove = delete(table_name, at, "#status <> :running AND project_id = :project", values)
    if row.idempotency_pk is None:
        return _delete(client, remove)
    # After the expiry the claim may belong to a later submission.
    condition, own_id = f"{ABSENT} OR submission_id = :id", {"id": row.submission_id}
    release = delete(table_name, key(row.idempotency_pk, CLAIM_SK), condition, own_id)
    refusal = transact_or_raise(client, {"row": remove, "claim": release})
    if refusal is None:
        return True
    return "row" not in refusal.failed and _delete(client, remove)


def _delete(client: DynamoDBClient, remove: Any) -> bool:
    try:
        client.delete_item(**remove["Delete"])
    except ClientError as error:
        if is_condition_failure(error):
            return False
        raise
    return True
