"""Issue, list, change and revoke API keys. `functions.projects.store` finds the project of a key."""

from __future__ import annotations

import secrets
from typing import Any

from functions.aws.dynamodb.batch import read_rows
from functions.aws.dynamodb.conditional import EXISTS, ConditionalUpdate, check, put
from functions.aws.dynamodb.items import Value, key, to_item
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.ids import new_id
from functions.projects.model import KeyRecord
from functions.projects.rows import (
    LISTED_KEY,
    digest,
    key_key,
    key_row,
    listed_key,
    project_key,
    project_pk,
    to_key_record,
)

KEY_PREFIX = "rb_live_"
REVOKED_KEPT_SECS = 90 * 86_400
"""A revoked key stays in its project's list for this time."""
_SHOWN_CHARS = 12


class KeyStore(Table):
    """The keys of the projects table. Reads are consistent."""

    def issue(
        self, project_id: str, *, api_key: str | None = None, expires_at: str | None = None
    ) -> tuple[KeyRecord, str] | None:
        """Create a key, or store the given one (local stage). None if the project does not exist.

        The whole key is returned only here. A given key that exists keeps its id and creation time, and is valid again.
        """
        issued = api_key or KEY_PREFIX + secrets.token_urlsafe(32)
        key_digest = digest(issued)
        before = (self._get(key_key(key_digest)) if api_key else None) or {}
        record = KeyRecord(
            key_id=before.get("key_id") or new_id(),
            project_id=project_id,
            prefix=issued[:_SHOWN_CHARS],
            created_at=before.get("created_at") or to_rfc3339(self._clock()),
            expires_at=expires_at,
        )
        listed = {**listed_key(project_id, record.key_id), **to_item({"digest": key_digest})}
        actions = {
            "project": check(self.table_name, project_key(project_id), EXISTS),
            "key": put(self.table_name, to_item(key_row(record, key_digest))),
            "list entry": put(self.table_name, listed),
        }
        return (record, issued) if transact_or_raise(self._client, actions) is None else None

    def list_all(self, project_id: str) -> list[KeyRecord]:
        """Return all keys of a project, newest first."""
        keys = [key_key(row["digest"]) for row in self._list(project_pk(project_id), LISTED_KEY)]
        found = read_rows(self._client, self.table_name, keys)
        now_secs = self._clock() // MS_PER_SEC
        records = [to_key_record(row) for row in found if row.get("ttl", now_secs) >= now_secs]
        return sorted(records, key=lambda record: (record.created_at, record.key_id), reverse=True)

    def get(self, project_id: str, key_id: str) -> KeyRecord | None:
        """Return one key of a project, revoked or not."""
        found = self._find(project_id, key_id)
        return to_key_record(found) if found is not None else None

    def set_expiry(self, project_id: str, key_id: str, expires_at: str | None) -> KeyRecord | None:
        """Set the expiry, None for never. Returns None if the key does not exist or is revoked."""
        found = self._find(project_id, key_id)
        if found is None:
            return None
        update = ConditionalUpdate(
            sets={} if expires_at is None else {"expires_at": expires_at},
            condition="attribute_exists(#pk) AND attribute_not_exists(#revoked_at)",
            condition_values={},
            removes=("expires_at",) if expires_at is None else (),
        )
        row = self._update(update, key(found["pk"], found["sk"]))
        return to_key_record(row) if row is not None else None

    def revoke(self, project_id: str, key_id: str) -> KeyRecord | None:
        """Revoke a key; repeating the call is safe. None if the key does not exist."""
        found = self._find(project_id, key_id)
        if found is None or "revoked_at" in found:
            return to_key_record(found) if found is not None else None
        now = self._clock()
        values: dict[str, Value] = {"now": to_rfc3339(now), "ttl": now // MS_PER_SEC + REVOKED_KEPT_SECS}
        keep = "#ttl = if_not_exists(#ttl, :ttl)"
        revoke = ConditionalUpdate(
            {}, EXISTS, values, computed=("#revoked_at = if_not_exists(#revoked_at, :now)", keep)
        )
        unlist = ConditionalUpdate({}, EXISTS, {"ttl": values["ttl"]}, computed=(keep,))
        actions = {
            "key": revoke.action(self.table_name, key(found["pk"], found["sk"])),
            "list entry": unlist.action(self.table_name, listed_key(project_id, key_id)),
        }
        return self.get(project_id, key_id) if transact_or_raise(self._client, actions) is None else None

    def _find(self, project_id: str, key_id: str) -> dict[str, Any] | None:
        listed = self._get(listed_key(project_id, key_id))
        row = self._get(key_key(listed["digest"])) if listed is not None else None
        if row is None or (row.get("key_id"), row["project_id"]) != (key_id, project_id):
            return None
        return row
