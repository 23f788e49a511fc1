"""TransactWriteItems with named actions, and the names of those that stopped it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from functions.aws.dynamodb.items import cancellation_codes
from functions.aws.dynamodb.table import TRIES, tries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

_CONDITION_FAILED = "ConditionalCheckFailed"
_BUSY = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons that a later try may not meet. botocore does not repeat a cancelled transaction."""

type Actions = Mapping[str, Any]
"""By name: an action of TransactWriteItems (a dict), or a sequence of them, also an empty one; at most 100 together."""


class RowsContendedError(Exception):
    """Other writers kept changing the same rows. Nothing was written."""


class Refusal(NamedTuple):
    """Why a transaction wrote nothing: names of actions whose condition failed, and of those whose rows were busy."""

    failed: frozenset[str]
    busy: frozenset[str]


def transact(
    client: DynamoDBClient, actions: Actions, most_tries: int = 1, sleep: Callable[[float], None] = time.sleep
) -> Refusal | None:
    """Write all actions, or return what refused them; None on success.

    A transaction that was cancelled only because its rows were busy is tried `most_tries` times. Raises ClientError for
    any other reason. botocore repeats a call without an answer with the same token, so a write whose answer was lost
    counts as a success.
    """
    named = [(name, action) for name, group in actions.items() for action in _actions_of(group)]
    refusal = None
    for _ in tries(most_tries, sleep):
        try:
            client.transact_write_items(TransactItems=[action for _, action in named])
        except ClientError as error:
            codes = cancellation_codes(error)
            coded = [(name, code) for (name, _), code in zip(named, codes, strict=False)]
            refusal = Refusal(
                frozenset(name for name, code in coded if code == _CONDITION_FAILED),
                frozenset(name for name, code in coded if code in _BUSY),
            )
            if not refusal.failed and not refusal.busy:
                raise
            if refusal.failed:
                return refusal
        else:
            return None
    return refusal


def transact_or_raise(client: DynamoDBClient, actions: Actions) -> Refusal | None:
    """Like `transact`, with TRIES tries. Raises RowsContendedError if the rows stayed busy.

    So a refusal has failed conditions.
    """
    refusal = transact(client, actions, TRIES)
    if refusal is not None and not refusal.failed:
        raise RowsContendedError
    return refusal


def _actions_of(group: Any) -> Sequence[Any]:
    return [group] if isinstance(group, dict) else group
