"""What opens a project: its keys. Only a key's SHA-256 is stored; a key is shown once, when it is issued."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.items import from_item, to_item
from functions.clock import Clock, from_rfc3339, now_ms, to_rfc3339
from functions.projects.key_store import KeyStore
from functions.projects.key_use import KeyUse
from functions.projects.rows import LIST_PK, Key, digest, key_key, project_key, project_row, to_project

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.projects.model import Project

_KEY_MAX_CHARS = 256
KEY_FRESH_MS = 3_000
"""A key that was revoked, or whose project was disabled, opens nothing after this."""
_MOST_SEEN = 1_000


@dataclass(frozen=True, slots=True)
class _Seen:
    """A key that opened its project when it was read."""

    project: Project
    read_at_ms: int
    expires_at_ms: int | None
    last_used_at: str | None

    def opens(self, now_ms: int) -> bool:
        is_fresh = 0 <= now_ms - self.read_at_ms < KEY_FRESH_MS
        return is_fresh and (self.expires_at_ms is None or now_ms < self.expires_at_ms)


class ProjectStore:
    """The projects table. `clock` gives epoch milliseconds."""

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        self._table_name = table_name
        self._client = client
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._use = KeyUse(table_name, client)

    def find_key(self, api_key: str) -> Project | None:
        """Return the project that a key opens; None if it is unknown, revoked or expired, or its project disabled.

        What opened a project is kept for KEY_FRESH_MS: two reads less on the way of nearly every request. What opened
        nothing is not kept, so a new key is good at once.
        """
        if not 0 < len(api_key) <= _KEY_MAX_CHARS:
            return None
        key_digest, now = digest(api_key), self._clock()
        seen = self._seen.get(key_digest)
        if seen is None or not seen.opens(now):
            seen = self._read_key(key_digest, now)
            if seen is None or not seen.opens(now):
                return None
            if len(self._seen) >= _MOST_SEEN:
                self._seen = {}
            self._seen[key_digest] = seen
            self._use.note(key_digest, seen.last_used_at, now)
        return seen.project

    def _read_key(self, key_digest: str, now_ms: int) -> _Seen | None:
        row = self._get(key_key(key_digest))
        if row is None or not hmac.compare_digest(row["pk"], f"KEY#{key_digest}") or "revoked_at" in row:
            return None
        project = self._get(project_key(row["project_id"]))
        if project is None or "disabled_at" in project:
            return None
        expires_at_ms = from_rfc3339(row["expires_at"]) if "expires_at" in row else None
        return _Seen(to_project(project), now_ms, expires_at_ms, row.get("last_used_at"))

    def create_project(self, project: Project) -> str:
        """Put the project, enabled, in place of one with the same id, and list it. Returns since when it exists."""
        before = self._get(project_key(project.project_id))
        created_at: str = before["created_at"] if before else to_rfc3339(self._clock())
        listed = to_item({"pk": LIST_PK, "sk": f"{created_at}#{project.project_id}"})
        self._client.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": self._table_name, "Item": to_item(project_row(project, created_at))}},
                {"Put": {"TableName": self._table_name, "Item": listed}},
            ]
        )
        return created_at

    def issue_key(self, project_id: str, *, api_key: str | None = None, expires_at: str | None = None) -> str:
        """Like `KeyStore.issue`, for who wants the key alone. Raises LookupError when there is no such project."""
        keys = KeyStore(self._table_name, self._client, self._clock)
        issued = keys.issue(project_id, api_key=api_key, expires_at=expires_at)
        if issued is None:
            raise LookupError(project_id)
        return issued[1]

    def _get(self, row_key: Key) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self._table_name, Key=row_key, ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None
