"""Turns: an endpoint has one transform at a time until its program is sound, and a rest after each run that fails.

Runs of a project share the slots of runners. So a program that never ends must not delay those of other endpoints.
A row says how the last run of a program ended. A program without one is new.
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
_TTL_SECS = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn of a program that is new or failed. `run_id`: of the run that has it, until `until_ms`; "": a rest."""

    of: bytes
    until_ms: int
    run_id: str = ""


def program_digest(program: Transform) -> bytes:
    """Return what tells one program of an endpoint from another."""
    return sha256(f"{program.language}\n{program.code}".encode()).digest()[:12]


class TurnStore(Table):
    """Rows of turns."""

    table_setting = "deliveries_table"

    def read(self, project_id: str, endpoint_id: str) -> tuple[Endpoint | None, Turn | None]:
        """Return an endpoint, None if it is deleted, and the turn of its program unless that is sound."""
        turn_at = _turn_key(project_id, endpoint_id)
        keys = [endpoint_key(project_id, endpoint_id), turn_at]
        rows = {row["sk"]: row for row in read_rows(self._client, self.table_name, keys)}
        row = rows.pop(turn_at["sk"]["S"], None)
        endpoint = next(map(to_endpoint, rows.values()), None)
        if endpoint is None or endpoint.transform is None:
            return endpoint, None
        of = program_digest(endpoint.transform)
        if row is None or bytes(row.get("program", b"")) != of:
            return endpoint, Turn(of, 0)
        return endpoint, None if row.get("is_sound") else Turn(of, row["until_ms"], row.get("run_id", ""))

    def take(self, project_id: str, endpoint_id: str, turn: Turn, run_id: str) -> bool:
        """Take a turn for a run, or again for the run that has it; False if it is another one's, or at rest."""
        now = self._clock()
        if turn.until_ms > now and turn.run_id != run_id:
            return False
        sets: dict[str, Value] = {"until_ms": now + HELD_MS, "run_id": run_id, "ttl": now // MS_PER_SEC + _TTL_SECS}
        sets |= {"program": turn.of}
        is_free = "attribute_not_exists(#program) OR #program <> :program OR #until_ms <= :now OR #run_id = :run_id"
        update = ConditionalUpdate(sets, f"({is_free})", {"now": now}, ("is_sound",))
        return self._update_unread(update, _turn_key(project_id, endpoint_id))

    def after(self, project_id: str, endpoint_id: str, turn: Turn) -> Any:
        """Return the action that puts the next turn of an endpoint."""
        return self._put(project_id, endpoint_id, {"program": turn.of, "until_ms": turn.until_ms}, "is_sound")

    def sound(self, project_id: str, endpoint_id: str, program: bytes) -> Any:
        """Return the action that lets an endpoint begin the runs of this program at once."""
        return self._put(project_id, endpoint_id, {"program": program, "is_sound": True}, "until_ms")

    def _put(self, project_id: str, endpoint_id: str, sets: dict[str, Value], removes: str) -> Any:
        ttl = self._clock() // MS_PER_SEC + _TTL_SECS
        update = ConditionalUpdate({**sets, "ttl": ttl}, "", {}, (removes, "run_id"))
        return update.action(self.table_name, _turn_key(project_id, endpoint_id))


def _turn_key(project_id: str, endpoint_id: str) -> Key:
    return key(endpoint_pk(project_id), f"TURN#{endpoint_id}")
