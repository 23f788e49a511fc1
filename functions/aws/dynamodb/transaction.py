"""One TransactWriteItems call and the reasons of its failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.dynamodb.items import cancellation_codes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONDITION_FAILED = "ConditionalCheckFailed"
CONFLICT = "TransactionConflict"


def transact(client: DynamoDBClient, actions: list[Any]) -> tuple[str, ...]:
    """Write all actions. Returns () on success, else one code per action, in order.

    Raises ClientError for every reason except a failed condition or a conflicting write. botocore retries a call with
    the same token, so a write whose answer was lost counts as a success.
    """
    try:
        client.transact_write_items(TransactItems=actions)
    except ClientError as error:
        codes = cancellation_codes(error)
        if not codes or not {CONDITION_FAILED, CONFLICT}.intersection(codes):
            raise
        return codes
    return ()
