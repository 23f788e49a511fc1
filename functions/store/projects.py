"""Projects and their API keys. Only a key's SHA-256 is stored; a key is shown once, when it is issued."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.core.clock import Clock, from_rfc3339, now_ms, to_rfc3339
from functions.core.project import Project
from functions.core.quota import Quota
from functions.store.items import Value, from_item, key, to_item

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

KEY_PREFIX = "rb_live_"
_SHOWN_CHARS = 12
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

    def find_key(self, api_key: str) -> Project | None:
        """Return the project that a key opens; None if it is unknown, revoked or expired, or its project disabled.

        What opened a project is kept for KEY_FRESH_MS: two reads less on the way of nearly every request. What opened
        nothing is not kept, so a new key is good at once.
        """
        if not 0 < len(api_key) <= _KEY_MAX_CHARS:
            return None
        digest, now = _digest(api_key), self._clock()
        seen = self._seen.get(digest)
        if seen is None or not seen.opens(now):
            seen = self._read_key(digest, now)
            if seen is None or not seen.opens(now):
                return None
            if len(self._seen) >= _MOST_SEEN:
                self._seen = {}
            self._seen[digest] = seen
        return seen.project

    def _read_key(self, digest: str, now_ms: int) -> _Seen | None:
        row = self._get(f"KEY#{digest}", "KEY")
        if row is None or not hmac.compare_digest(row["pk"].removeprefix("KEY#"), digest) or "revoked_at" in row:
            return None
        project = self._get(f"PROJECT#{row['project_id']}", "PROJECT")
        if project is None or "disabled_at" in project:
            return None
        expires_at_ms = from_rfc3339(row["expires_at"]) if "expires_at" in row else None
        return _Seen(_to_project(row["project_id"], project), now_ms, expires_at_ms)

    def create_project(self, project: Project) -> None:
        """Put the project, in place of one with the same id."""
        item = to_item(
            {
                "pk": f"PROJECT#{project.project_id}",
                "sk": "PROJECT",
                "name": project.name,
                "profiles": project.profiles,
                "quotas": {profile: _quota_item(quota) for profile, quota in project.quotas.items()},
                "created_at": to_rfc3339(self._clock()),
            }
        )
        self._client.put_item(TableName=self._table_name, Item=item)

    def issue_key(self, project_id: str, *, api_key: str | None = None, expires_at: str | None = None) -> str:
        """Make a key of the project, or take the given one (local stage). This is the only time it is seen whole."""
        issued = api_key or KEY_PREFIX + secrets.token_urlsafe(32)
        item = to_item(
            {
                "pk": f"KEY#{_digest(issued)}",
                "sk": "KEY",
                "project_id": project_id,
                "prefix": issued[:_SHOWN_CHARS],
                "created_at": to_rfc3339(self._clock()),
                "expires_at": expires_at,
            }
        )
        self._client.put_item(TableName=self._table_name, Item=item)
        return issued

    def _get(self, pk: str, sk: str) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self._table_name, Key=key(pk, sk), ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None


def _to_project(project_id: str, row: Mapping[str, Any]) -> Project:
    quotas = {profile: Quota(**quota) for profile, quota in row.get("quotas", {}).items()}
    return Project(project_id, row["name"], tuple(row["profiles"]), quotas)


def _quota_item(quota: Quota) -> dict[str, Value]:
    return {"per_minute": quota.per_minute, "per_day": quota.per_day, "in_flight": quota.in_flight}


def _digest(api_key: str) -> str:
    return hashlib.sha256(api_key.encode(errors="surrogatepass")).hexdigest()
