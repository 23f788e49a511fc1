"""Transactions that meet other writers or throttling, which the engine never reports by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.aws.clients import Clients

if TYPE_CHECKING:
    import pytest


def cancelled(*codes: str) -> ClientError:
    """Return the error of a transaction that was cancelled for these reasons."""
    reasons = [{"Code": code} for code in codes]
    answer: Any = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons}
    return ClientError(answer, "TransactWriteItems")


def refuse_transactions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Cancel the next transactions with the codes of the list, the last one first. "" lets one through.

    The second action is the reason, or the first if there is only one. Retries do not pause.
    """
    codes: list[str] = []
    client = Clients.dynamodb()
    write = client.transact_write_items

    def refusing(**given: Any) -> Any:
        if codes and (code := codes.pop()):
            others = len(given["TransactItems"]) - 1
            raise cancelled(*["None"] * min(others, 1), code, *["None"] * (others - 1))
        return write(**given)

    monkeypatch.setattr("functions.aws.dynamodb.table._FIRST_PAUSE_SECS", 0)
    monkeypatch.setattr(client, "transact_write_items", refusing)
    return codes
