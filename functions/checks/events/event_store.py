"""Events that start runs, in the checks table: secrets of inbound calls, and ids of events that were taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from functions.aws.dynamodb.conditional import ABSENT, put
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.row_codec import read, write
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.checks import keys
from functions.checks.events.signatures import Verification
from functions.checks.runs.store import run_item
from functions.clock import MS_PER_SEC

if TYPE_CHECKING:
    from functions.checks.runs.model import Run
    from functions.checks.settings.model import Check

KNOWN_SECS = 86_400
"""How long the id of an event is known."""


class Hook(NamedTuple):
    """The project of a check, its sealed inbound secret and its scheme."""

    project_id: str
    box: bytes
    verification: Verification


class EventStore(Table):
    """Rows of inbound secrets, and of events by check and id."""

    def put_hook(self, check: Check, box: bytes, verification: Verification) -> None:
        """Write the sealed inbound secret of a check and its scheme, in place of those before."""
        item = to_item({"owner": [check.project_id, check.check_id], "box": box, "verification": write(verification)})
        self._client.put_item(TableName=self.table_name, Item={**keys.hook_key(check.check_id), **item})

    def hook(self, check_id: str) -> Hook | None:
        """Return the sealed inbound secret of a check and its scheme. A row of an older version is of `standard`."""
        row = self._get(keys.hook_key(check_id))
        if row is None:
            return None
        return Hook(row["owner"][0], row["box"], read(Verification, row.get("verification", {})))

    def first_run(self, check_id: str, event_id: str) -> str | None:
        """Return the position of the run that an event started; None for an event that is not known."""
        row = self._get(keys.event_key(check_id, event_id))
        # DynamoDB deletes expired items late; we treat them as deleted.
        return None if row is None or row["ttl"] <= self._clock() // MS_PER_SEC else str(row["position"])

    def add_run(self, run: Run, event_id: str, *also: Any) -> str | None:
        """Write the run of an event. A repeat of the event writes nothing: it returns the position of its first run.

        `also`: actions of the same transaction.
        """
        row_key, now = keys.event_key(run.check_id, event_id), self._clock() // MS_PER_SEC
        row = {**row_key, **to_item({"position": run.position, "ttl": now + KNOWN_SECS})}
        event = put(self.table_name, row, f"{ABSENT} OR #ttl <= :now", {"now": now})
        actions = {"event": event, "run": put(self.table_name, run_item(run)), "also": also}
        if transact_or_raise(self._client, actions) is None:
            return None
        # The id may have expired since.
        return self.first_run(run.check_id, event_id) or self.add_run(run, event_id, *also)
