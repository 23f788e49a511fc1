"""TransactWriteItems and the reasons of its failure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.dynamodb.items import cancellation_codes
from functions.aws.dynamodb.retries import TRIES, tries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

CONDITION_FAILED = "ConditionalCheckFailed"
CONFLICT = "TransactionConflict"
_BUSY = frozenset({CONFLICT, "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons that a later try may not meet. botocore does not repeat a cancelled transaction."""


class RowsContendedError(Exception):
    """Other writers kept changing the same rows. Nothing was written."""


def transact(
    client: DynamoDBClient,
    actions: Sequence[Any],
    most_tries: int = 1,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[str, ...]:
    """Write all actions, at most 100. Returns () on success, else one code per action, in order.

    A transaction that was cancelled only because its rows were busy is tried `most_tries` times. So the codes hold
    CONDITION_FAILED, or all tries met other writers. Raises ClientError for any other reason. botocore repeats a call
    without an answer with the same token, so a write whose answer was lost counts as a success.
    """
    codes: tuple[str, ...] = ()
    for _ in tries(most_tries, sleep):
        try:
            client.transact_write_items(TransactItems=actions)
        except ClientError as error:
            codes = cancellation_codes(error)
            if not _BUSY.union({CONDITION_FAILED}).intersection(codes):
                raise
            if CONDITION_FAILED in codes:
                return codes
        else:
            return ()
    return codes


def transact_or_raise(client: DynamoDBClient, actions: Sequence[Any]) -> tuple[str, ...]:
    """Like `transact`, with TRIES tries. Raises RowsContendedError if the rows stayed busy.

    So the codes, if any, hold CONDITION_FAILED.
    """
    codes = transact(client, actions, TRIES)
    if codes and CONDITION_FAILED not in codes:
        raise RowsContendedError
    return codes
