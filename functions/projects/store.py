"""Find the project of an API key. Only a key's SHA-256 is stored."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from functions.aws.dynamodb.conditional import put
from functions.aws.dynamodb.items import key, to_item
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.clock import Clock, from_rfc3339, now_ms, to_rfc3339
from functions.projects.key_store import KeyStore
from functions.projects.key_use import KeyUse
from functions.projects.model import Project, ProjectRecord
from functions.projects.rows import LIST_PK, digest, key_key, project_key, project_row, to_project
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEY_MAX_CHARS = 256
KEY_FRESH_MS = 3_000
"""A revoked key, or a key of a disabled project, is refused after this time at the latest."""
_MAX_CACHED = 1_000


class KeyProblem(Enum):
    """Why an API key opens no project."""

    MISSING = auto()
    UNKNOWN = auto()
    REVOKED = auto()
    EXPIRED = auto()
    DISABLED = auto()


@dataclass(frozen=True, slots=True)
class _CachedKey:
    """A cached key that was valid when it was read."""

    project: Project
    expires_at_ms: int | None
    last_used_at: str | None

    def is_valid(self, now_ms: int) -> bool:
        return self.expires_at_ms is None or now_ms < self.expires_at_ms


class ProjectStore(Table):
    """The projects table."""

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        super().__init__(table_name, client, clock)
        self._cached = TtlCache[str, _CachedKey](KEY_FRESH_MS, _MAX_CACHED, clock)
        self._use = KeyUse(table_name, client, clock)

    def find_key(self, api_key: str) -> Project | KeyProblem:
        """Return the project of a key, or why it has none.

        Valid keys are cached for KEY_FRESH_MS, which saves two reads on nearly every request. Invalid keys are not
        cached, so a new key is valid at once.
        """
        if not api_key:
            return KeyProblem.MISSING
        if len(api_key) > _KEY_MAX_CHARS:
            return KeyProblem.UNKNOWN
        key_digest, now = digest(api_key), self._clock()
        cached = self._cached.get(key_digest)
        if cached is not None and cached.is_valid(now):
            return cached.project
        found = self._read_key(key_digest)
        if isinstance(found, KeyProblem):
            return found
        if not found.is_valid(now):
            return KeyProblem.EXPIRED
        self._cached.keep(key_digest, found, now)
        self._use.note(key_digest, found.last_used_at, now)
        return found.project

    def _read_key(self, key_digest: str) -> _CachedKey | KeyProblem:
        row = self._get(key_key(key_digest))
        if row is None or not hmac.compare_digest(row["pk"], f"KEY#{key_digest}"):
            return KeyProblem.UNKNOWN
        if "revoked_at" in row:
            return KeyProblem.REVOKED
        project = self._get(project_key(row["project_id"]))
        if project is None or "disabled_at" in project:
            return KeyProblem.DISABLED
        expires_at_ms = from_rfc3339(row["expires_at"]) if "expires_at" in row else None
        return _CachedKey(to_project(project), expires_at_ms, row.get("last_used_at"))

    def create_project(self, project: Project) -> str:
        """Write an enabled project, replacing one with the same id, and its list entry. Returns its creation time.

        Raises RowsContendedError.
        """
        before = self._get(project_key(project.project_id))
        created_at: str = before["created_at"] if before else to_rfc3339(self._clock())
        listed = key(LIST_PK, f"{created_at}#{project.project_id}")
        actions = {
            "project": put(self.table_name, to_item(project_row(ProjectRecord(project, created_at)))),
            "list entry": put(self.table_name, listed),
        }
        transact_or_raise(self._client, actions)
        return created_at

    def issue_key(self, project_id: str, *, api_key: str | None = None, expires_at: str | None = None) -> str:
        """Like `KeyStore.issue`, but returns only the key. Raises LookupError if the project does not exist."""
        keys = KeyStore(self.table_name, self._client, self._clock)
        issued = keys.issue(project_id, api_key=api_key, expires_at=expires_at)
        if issued is None:
            raise LookupError(project_id)
        return issued[1]
