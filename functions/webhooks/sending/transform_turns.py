"""Turns: after a failed transform, its endpoint has one run at a time, and a rest after each run that fails.

Runs of a project share the slots of runners. So a program that never ends must not delay those of other endpoints.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import Key, Value, key
from functions.aws.dynamodb.table import Table, read_rows
from functions.clock import MS_PER_SEC
from functions.webhooks.endpoints.model import Endpoint, Transform
from functions.webhooks.endpoints.store import endpoint_key, endpoint_pk, to_endpoint

RESTS = 15
"""A failed run is followed by a rest of so many times its own duration."""
LEAST_REST_MS = 1_000
SLOW_SECS = 1.0
"""A run that takes more CPU time has the next one wait, as a failed one does, but without a rest."""
HELD_MS = 60_000
"""A run that has not ended by then holds its turn no longer."""
_TTL_SECS = 86_400


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn of a program that failed. `run_id`: of the run that has it, until `until_ms`; "": a rest until then."""

    of: bytes
    until_ms: int
    run_id: str = ""


def program_digest(program: Transform) -> bytes:
    """Return what tells one program of an endpoint from another."""
    return sha256(f"{program.language}\n{program.code}".encode()).digest()[:12]


class TurnStore(Table):
    """Rows of turns. An endpoint without one, or with one of another program, begins its runs at once."""

    table_setting = "deliveries_table"

    def read(self, project_id: str, endpoint_id: str) -> tuple[Endpoint | None, Turn | None]:
        """Return an endpoint, None if it is deleted, and the turn of its program if that failed."""
        turn_at = _turn_key(project_id, endpoint_id)
        keys = [endpoint_key(project_id, endpoint_id), turn_at]
        rows = {row["sk"]: row for row in read_rows(self._client, self.table_name, keys)}
        row = rows.pop(turn_at["sk"]["S"], None)
        endpoint = next(map(to_endpoint, rows.values()), None)
        if row is None or "program" not in row or endpoint is None or endpoint.transform is None:
            return endpoint, None
        turn = Turn(bytes(row["program"]), row["until_ms"], row.get("run_id", ""))
        return endpoint, turn if turn.of == program_digest(endpoint.transform) else None

    def take(self, project_id: str, endpoint_id: str, turn: Turn, run_id: str) -> bool:
        """Take a turn for a run, or again for the run that has it; False if it is another one's, or at rest."""
        now = self._clock()
        if turn.until_ms > now and turn.run_id != run_id:
            return False
        sets: dict[str, Value] = {"until_ms": now + HELD_MS, "run_id": run_id, "ttl": now // MS_PER_SEC + _TTL_SECS}
        is_free = "(#until_ms <= :now OR #run_id = :run_id)"
        update = ConditionalUpdate(sets, is_free, {"now": now}).only_if("#program = :program", {"program": turn.of})
        return self._update_unread(update, _turn_key(project_id, endpoint_id))

    def after(self, project_id: str, endpoint_id: str, turn: Turn | None) -> Any:
        """Return the action that puts the next turn of an endpoint; None: its program is sound again."""
        ttl = self._clock() // MS_PER_SEC + _TTL_SECS
        sets: dict[str, Value] = {} if turn is None else {"program": turn.of, "until_ms": turn.until_ms}
        update = ConditionalUpdate({**sets, "ttl": ttl}, "", {}, ("run_id",) if sets else ("program", "run_id"))
        return update.action(self.table_name, _turn_key(project_id, endpoint_id))


def _turn_key(project_id: str, endpoint_id: str) -> Key:
    return key(endpoint_pk(project_id), f"TURN#{endpoint_id}")
