"""Sends whose answer is a function of the test, and tables that refuse."""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from functions.webhooks.egress import LONG, Egress, Wait
from functions.webhooks.vocabulary import Reply


class Script(Egress):
    """Egress whose send is a function of the test."""

    def __init__(self, send: Callable[[], Reply]) -> None:
        super().__init__()
        object.__setattr__(self, "_send", send)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, wait: Wait = LONG) -> Reply:  # noqa: ARG002 - the real signature
        send: Callable[[], Reply] = self._send  # type: ignore[assignment]  # it replaces the method
        return send()


class Conflicting:
    """A DynamoDB client whose first transactions run into another's, at their last action."""

    def __init__(self, client: Any, conflicts: int) -> None:
        self._client = client
        self.conflicts = conflicts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **arguments: Any) -> Any:
        if self.conflicts:
            self.conflicts -= 1
            others = [{"Code": "None"}] * (len(arguments["TransactItems"]) - 1)
            reasons = [*others, {"Code": "TransactionConflict"}]
            error: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise ClientError(error, "TransactWriteItems")
        return self._client.transact_write_items(**arguments)
