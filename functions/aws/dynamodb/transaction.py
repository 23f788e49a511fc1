"""One TransactWriteItems: everything or nothing, and why nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.dynamodb.items import cancellation_codes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONDITION_FAILED = "ConditionalCheckFailed"
CONFLICT = "TransactionConflict"


def transact(client: DynamoDBClient, actions: list[Any]) -> tuple[str, ...]:
    """Write all actions; () when it is done, else one code an action, in their order.

    Raises ClientError for any reason but a condition or another write of a row at the same moment. botocore repeats a
    call whose answer was lost with the same token, so what was applied counts as done.
    """
    try:
        client.transact_write_items(TransactItems=actions)
    except ClientError as error:
        codes = cancellation_codes(error)
        if not codes or not {CONDITION_FAILED, CONFLICT}.intersection(codes):
            raise
        return codes
    return ()
