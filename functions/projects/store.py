"""Find the project of an API key. Only a key's SHA-256 is stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.conditional import EXISTS, ConditionalUpdate, check, put
from functions.aws.dynamodb.items import Value, is_condition_failure, key, to_item
from functions.aws.dynamodb.row_codec import changes, read, write
from functions.aws.dynamodb.table import Page, Table, read_rows
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.clock import MS_PER_SEC, Clock, from_rfc3339, now_ms, to_rfc3339
from functions.http.rights import rights_of
from functions.ids import new_id
from functions.projects.model import KeyRecord, Project, ProjectRecord
from functions.telemetry import logger
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.aws.dynamodb.items import Key


# Rows of the projects table.
#
# PROJECT#<id>    PROJECT             a project
# PROJECTS        <created_at>#<id>   list entry of a project, without other attributes
# KEY#<sha256>    KEY                 an API key, found by its hash
# PROJECT#<id>    KEY#<key id>        list entry of an API key, with its digest

PROJECT_SK = "PROJECT"
KEY_SK = "KEY"
LIST_PK = "PROJECTS"
LISTED_KEY = "KEY#"

type Row = dict[str, Any]


def project_pk(project_id: str) -> str:
    """Return the partition key of a project and of the list of its keys."""
    return f"PROJECT#{project_id}"


def project_key(project_id: str) -> Key:
    return key(project_pk(project_id), PROJECT_SK)


def project_row(record: ProjectRecord) -> Row:
    return {**write(record), "pk": project_pk(record.project.project_id), "sk": PROJECT_SK}


def to_project(row: Row) -> Project:
    return read(Project, {**row, "project_id": _id_of_project(row)})


def to_project_record(row: Row) -> ProjectRecord:
    """Decode a project's row with the attributes for administrators."""
    return read(ProjectRecord, {**row, "project_id": _id_of_project(row)})


def _id_of_project(row: Row) -> str:
    return str(row["pk"]).removeprefix("PROJECT#")


def digest(api_key: str) -> str:
    """Return the SHA-256 of a key. The key itself is not stored."""
    return hashlib.sha256(api_key.encode(errors="surrogatepass")).hexdigest()


def key_key(key_digest: str) -> Key:
    return key(f"KEY#{key_digest}", KEY_SK)


def key_row(record: KeyRecord, key_digest: str) -> Row:
    return {**write(record), "pk": f"KEY#{key_digest}", "sk": KEY_SK}


def listed_key(project_id: str, key_id: str) -> Key:
    """Return the primary key of the list entry of an API key."""
    return key(project_pk(project_id), LISTED_KEY + key_id)


def to_key_record(row: Row) -> KeyRecord:
    return read(KeyRecord, row)


# Record the last use of a key, to the minute. A failure never fails the request.

USE_NOTED_MS = 60_000
"""A key's last use is written at most this often, by all functions together."""
_MOST_TRIED = 1_000


class KeyUse(Table):
    """Writes `last_used_at` of keys."""

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock) -> None:
        super().__init__(table_name, client, clock)
        self._tried = TtlCache[str, bool](USE_NOTED_MS, _MOST_TRIED, clock)

    def note(self, key_digest: str, last_used_at: str | None, now_ms: int) -> None:
        """Write `now_ms` as the key's last use if the known one is older than a minute. Never raises."""
        minute_ago = to_rfc3339(now_ms - USE_NOTED_MS)
        if last_used_at is not None and last_used_at > minute_ago:
            return
        # Once a minute even after a failure: a failing table must not slow every request down.
        if self._tried.get(key_digest):
            return
        self._tried.keep(key_digest, True)
        try:
            # IAM allows exactly these attributes and no returned values (template.yaml).
            self._client.update_item(
                TableName=self.table_name,
                Key=key_key(key_digest),
                UpdateExpression="SET last_used_at = :now",
                # A key deleted meanwhile must not come back as a row without a project.
                ConditionExpression="attribute_exists(pk) AND "
                "(attribute_not_exists(last_used_at) OR last_used_at <= :minute_ago)",
                ExpressionAttributeValues=to_item({":now": to_rfc3339(now_ms), ":minute_ago": minute_ago}),
            )
        except (BotoCoreError, ClientError) as error:
            if not (isinstance(error, ClientError) and is_condition_failure(error)):
                logger("keys").warning("Last use of a key not recorded", error_type=type(error).__name__)


# Issue, list, change and revoke API keys. `functions.projects.store` finds the project of a key.

KEY_PREFIX = "rb_live_"
REVOKED_KEPT_SECS = 90 * 86_400
"""A revoked key stays in its project's list for this time."""
SHOWN_CHARS = 12


def new_key() -> str:
    return KEY_PREFIX + secrets.token_urlsafe(32)


class KeyStore(Table):
    """The keys of the projects table. Reads are consistent."""

    table_setting = "projects_table"

    def issue(
        self,
        project_id: str,
        *,
        api_key: str | None = None,
        expires_at: str | None = None,
        name: str | None = None,
        rights: tuple[str, ...] | None = None,
    ) -> tuple[KeyRecord, str] | None:
        """Create a key, or store the given one (local stage). None if the project does not exist. `rights` None: all.

        The whole key is returned only here. A given key that exists keeps its id and creation time, and is valid again.
        """
        issued = api_key or new_key()
        before = (self._get(key_key(digest(issued))) if api_key else None) or {}
        record = KeyRecord(
            key_id=before.get("key_id") or new_id(),
            project_id=project_id,
            prefix=issued[:SHOWN_CHARS],
            created_at=before.get("created_at") or to_rfc3339(self._clock()),
            expires_at=expires_at,
            name=name,
            rights=rights,
        )
        return (record, issued) if self.add(record, issued) else None

    def add(self, record: KeyRecord, issued: str, also: Sequence[Any] = ()) -> bool:
        """Write a key; False if the project does not exist. `also`: actions of the same transaction, here and below."""
        key_digest = digest(issued)
        listed = {**listed_key(record.project_id, record.key_id), **to_item({"digest": key_digest})}
        actions = {
            "project": check(self.table_name, project_key(record.project_id), EXISTS),
            "key": put(self.table_name, to_item(key_row(record, key_digest))),
            "list entry": put(self.table_name, listed),
            "also": also,
        }
        return transact_or_raise(self._client, actions) is None

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

    def set_expiry(
        self, project_id: str, key_id: str, expires_at: str | None, also: Sequence[Any] = ()
    ) -> KeyRecord | None:
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
        actions = {"key": update.action(self.table_name, key(found["pk"], found["sk"])), "also": also}
        return self.get(project_id, key_id) if transact_or_raise(self._client, actions) is None else None

    def revoke(self, project_id: str, key_id: str, also: Sequence[Any] = ()) -> KeyRecord | None:
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
            "also": also,
        }
        return self.get(project_id, key_id) if transact_or_raise(self._client, actions) is None else None

    def _find(self, project_id: str, key_id: str) -> dict[str, Any] | None:
        listed = self._get(listed_key(project_id, key_id))
        row = self._get(key_key(listed["digest"])) if listed is not None else None
        if row is None or (row.get("key_id"), row["project_id"]) != (key_id, project_id):
            return None
        return row


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
class FoundKey:
    """A key that was valid when it was read, with its project."""

    project: Project
    record: KeyRecord
    rights: frozenset[str]
    expires_at_ms: int | None

    def is_valid(self, now_ms: int) -> bool:
        return self.expires_at_ms is None or now_ms < self.expires_at_ms


class ProjectStore(Table):
    """The projects of the projects table."""

    table_setting = "projects_table"

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        super().__init__(table_name, client, clock)
        self._cached = TtlCache[str, FoundKey](KEY_FRESH_MS, _MAX_CACHED, clock)
        self._use = KeyUse(table_name, client, clock)

    def find_key(self, api_key: str) -> FoundKey | KeyProblem:
        """Return a valid key with its project, or why it opens none.

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
            return cached
        found = self._read_key(key_digest)
        if isinstance(found, KeyProblem):
            return found
        if not found.is_valid(now):
            return KeyProblem.EXPIRED
        self._cached.keep(key_digest, found, now)
        self._use.note(key_digest, found.record.last_used_at, now)
        return found

    def _read_key(self, key_digest: str) -> FoundKey | KeyProblem:
        row = self._get(key_key(key_digest))
        if row is None or not hmac.compare_digest(row["pk"], f"KEY#{key_digest}"):
            return KeyProblem.UNKNOWN
        if "revoked_at" in row:
            return KeyProblem.REVOKED
        project = self._get(project_key(row["project_id"]))
        if project is None or "disabled_at" in project:
            return KeyProblem.DISABLED
        record = to_key_record({"key_id": "", **row})  # keys of the first versions have none
        expires_at_ms = None if record.expires_at is None else from_rfc3339(record.expires_at)
        return FoundKey(to_project(project), record, frozenset(rights_of(record.rights)), expires_at_ms)

    def get(self, project_id: str) -> ProjectRecord | None:
        """Return one project, disabled or not."""
        row = self._get(project_key(project_id))
        return to_project_record(row) if row is not None else None

    def page(self, limit: int, after: str | None = None) -> Page[ProjectRecord]:
        """Return at most `limit` projects after the list position `after`, newest first."""
        request: dict[str, Any] = {
            "TableName": self.table_name,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": to_item({":pk": LIST_PK}),
            "ScanIndexForward": False,
            "ConsistentRead": True,
            "Limit": limit + 1,  # one more shows whether there is a next page; a row of this list has about 100 bytes
        }
        if after is not None:
            request["ExclusiveStartKey"] = key(LIST_PK, after)
        positions = [item["sk"]["S"] for item in self._client.query(**request)["Items"]]
        ids = [position.partition("#")[2] for position in positions[:limit]]
        rows = read_rows(self._client, self.table_name, [project_key(project_id) for project_id in ids])
        found = {record.project.project_id: record for record in map(to_project_record, rows)}
        records = tuple(found[project_id] for project_id in ids if project_id in found)
        return Page(records, positions[limit - 1] if len(positions) > limit else None)

    def change(
        self, before: ProjectRecord, after: Project, also: Sequence[Any] = (), *, enabled: bool | None = None
    ) -> ProjectRecord | None:
        """Write the differences. None if the project is gone or its quotas or network have changed since `before`."""
        sets, removes = changes(before.project, after)
        values: dict[str, Value] = {}
        computed: tuple[str, ...] = ()
        condition = "attribute_exists(#pk)"
        if "quotas" in sets:
            # The new quotas derive from the old ones: two concurrent changes must not undo each other.
            condition += " AND (#quotas = :quotas_before OR attribute_not_exists(#quotas))"
            values["quotas_before"] = write(before.project)["quotas"]
        if "network" in sets or "network" in removes:  # likewise: a late change must not allow again what was taken
            network = write(before.project).get("network")
            condition += " AND " + (
                "attribute_not_exists(#network)" if network is None else "#network = :network_before"
            )
            values |= {} if network is None else {"network_before": network}
        if enabled is False:
            computed = ("#disabled_at = if_not_exists(#disabled_at, :now)",)
            values["now"] = to_rfc3339(self._clock())
        if enabled:
            removes += ("disabled_at",)
        if not (sets or computed or removes):
            return before
        update = ConditionalUpdate(sets, condition, values, removes, computed)
        action = update.action(self.table_name, project_key(before.project.project_id))
        refusal = transact_or_raise(self._client, {"project": action, "also": also})
        return self.get(before.project.project_id) if refusal is None else None

    def create_project(self, project: Project, also: Sequence[Any] = ()) -> str:
        """Write an enabled project, replacing one with the same id, and its list entry. Returns its creation time.

        Raises RowsContendedError.
        """
        before = self._get(project_key(project.project_id))
        created_at: str = before["created_at"] if before else to_rfc3339(self._clock())
        listed = key(LIST_PK, f"{created_at}#{project.project_id}")
        actions = {
            "project": put(self.table_name, to_item(project_row(ProjectRecord(project, created_at)))),
            "list entry": put(self.table_name, listed),
            "also": also,
        }
        transact_or_raise(self._client, actions)
        return created_at

    def issue_key(
        self,
        project_id: str,
        *,
        api_key: str | None = None,
        expires_at: str | None = None,
        rights: tuple[str, ...] | None = None,
    ) -> str:
        """Like `KeyStore.issue`, but returns only the key. Raises LookupError if the project does not exist."""
        keys = KeyStore(self.table_name, self._client, self._clock)
        issued = keys.issue(project_id, api_key=api_key, expires_at=expires_at, rights=rights)
        if issued is None:
            raise LookupError(project_id)
        return issued[1]


def list_position(record: ProjectRecord) -> str:
    """Return the place of a project in the list."""
    return f"{record.created_at}#{record.project.project_id}"
