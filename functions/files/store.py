"""The rows of files and of artifacts, and every change of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from functions.aws.dynamodb.conditional import ABSENT, EXISTS, ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import Key, Value, from_item, key, to_item
from functions.aws.dynamodb.row_codec import read, write
from functions.aws.dynamodb.table import TRIES, Page, Table
from functions.aws.dynamodb.transaction import transact, transact_or_raise
from functions.errors import UnavailableError
from functions.files.model import FILES_MAX, KEPT_MS, USE_NOTED_MS, ArtifactObject, File, FileState

# The rows, in the submissions table:
#
# FILES#<project>     FILE#<sha256>               a file
# FILES#<project>     USAGE                       how many files and bytes the project stores
# FILES#<project>     REMOVED#<object key>        an object whose file is gone; runs may need it until it is due
# FILES#<project>     HOLD#<sha256>#<holder>      something that keeps a file, such as a check
#
# FILES#<project>#<sha256>    ARTIFACT#<submission>   an artifact with this hash, until its result is gone

_SHARDS: Final = 4
DUE_SHARDS: Final = ("FILES", *(f"FILES#{number}" for number in range(_SHARDS)))
"""Partitions of the due index. Rows of the version before are in the first one."""
FILE: Final = "FILE#"
REMOVED: Final = "REMOVED#"
HOLD: Final = "HOLD#"
ARTIFACT: Final = "ARTIFACT#"
_PK: Final = "FILES#"


def files_pk(project_id: str) -> str:
    return f"{_PK}{project_id}"


def due_shard(row_id: str) -> str:
    """Return the shard of the due index for a hash or an object key: both end with random hexadecimal digits."""
    return f"FILES#{int(row_id[-1], 16) % _SHARDS}"


def project_of(pk: str) -> str:
    return pk.removeprefix(_PK)


def file_key(project_id: str, sha256: str) -> Key:
    return key(files_pk(project_id), FILE + sha256)


def usage_key(project_id: str) -> Key:
    return key(files_pk(project_id), "USAGE")


def removed_key(project_id: str, object_key: str) -> Key:
    return key(files_pk(project_id), REMOVED + object_key)


def hold_key(project_id: str, sha256: str, holder: str) -> Key:
    return key(files_pk(project_id), f"{HOLD}{sha256}#{holder}")


def artifacts_pk(project_id: str, sha256: str) -> str:
    """Return the partition key of the artifacts with a hash."""
    return f"{_PK}{project_id}#{sha256}"


def file_row(file: File) -> dict[str, Any]:
    keys = {"pk": files_pk(file.project_id), "sk": FILE + file.sha256, "due_shard": due_shard(file.sha256)}
    return {**write(file), **keys}


def to_file(row: dict[str, Any]) -> File:
    return read(File, {**row, "project_id": project_of(row["pk"]), "sha256": str(row["sk"]).removeprefix(FILE)})


# A row of a file and the project's count of stored bytes change in one transaction, so the count is exact.


class StoreFullError(Exception):
    """The project stores too many files or bytes. `used_bytes`, `used_files`: what it stores now."""

    def __init__(self, used_bytes: int, used_files: int) -> None:
        super().__init__("the files of the project use up its quota")
        self.used_bytes = used_bytes
        self.used_files = used_files


@dataclass(frozen=True, slots=True)
class DueFile:
    """An entry of the due index: of a file, or with `object_key` of an object whose file is gone."""

    project_id: str
    sha256: str | None
    object_key: str | None
    due_at_ms: int


class FileStore(Table):
    """The files of all projects."""

    table_setting = "submissions_table"

    def get(self, project_id: str, sha256: str) -> File | None:
        """Return a file, stored or still uploading."""
        row = self._get(file_key(project_id, sha256))
        return None if row is None else to_file(row)

    def create(self, file: File, most_bytes: int) -> bool:
        """Write a new file and count it. False if the row exists. Raises StoreFullError, RowsContendedError."""
        return self._write_counted(
            file.project_id, file.size, most_bytes, put(self.table_name, to_item(file_row(file)), ABSENT)
        )

    def reserve(
        self,
        project_id: str,
        object_key: str,
        size: int,
        due_at_ms: int,
        most_bytes: int,
        most_files: int = FILES_MAX,
    ) -> None:
        """Count an object that is no file. It is deleted when it is due, unless `keep` is written before.

        Raises StoreFullError, RowsContendedError.
        """
        action = self.drop(project_id, object_key, size, due_at_ms)
        self._write_counted(project_id, size, most_bytes, action, most_files)

    def keep(self, project_id: str, object_key: str) -> Any:
        """Return the action that keeps a reserved object."""
        return delete(self.table_name, removed_key(project_id, object_key), EXISTS)

    def drop(self, project_id: str, object_key: str, size: int, due_at_ms: int) -> Any:
        """Return the action that has an object deleted when it is due. The project pays for its bytes until then."""
        removed: dict[str, Value] = {
            "pk": files_pk(project_id),
            "sk": REMOVED + object_key,
            "size": size,
            "due_shard": due_shard(object_key),
            "due_at_ms": due_at_ms,
        }
        return put(self.table_name, to_item(removed))

    def _write_counted(
        self, project_id: str, size: int, most_bytes: int, action: Any, most_files: int = FILES_MAX
    ) -> bool:
        """Write a row and count its bytes. False if its condition failed. Raises StoreFullError."""
        room = most_bytes - size
        if room < 0:
            raise StoreFullError(*self.usage(project_id))
        counted = ConditionalUpdate(
            sets={},
            condition="(attribute_not_exists(#bytes) OR (#bytes <= :room AND #files < :most))",
            condition_values={
                "room": room,
                "most": most_files,
                "zero": 0,
                "one": 1,
                "size": size,
            },
            computed=(
                "#bytes = if_not_exists(#bytes, :zero) + :size",
                "#files = if_not_exists(#files, :zero) + :one",
            ),
        )
        refusal = transact_or_raise(
            self._client, {"row": action, "count": counted.action(self.table_name, usage_key(project_id))}
        )
        if refusal is None:
            return True
        if "row" in refusal.failed:
            return False
        raise StoreFullError(*self.usage(project_id))

    def usage(self, project_id: str) -> tuple[int, int]:
        """Return how many bytes and files a project stores."""
        row = self._get(usage_key(project_id)) or {}
        return row.get("bytes", 0), row.get("files", 0)

    def change_upload(self, file: File, media_type: str, due_at_ms: int) -> bool:
        """Change the type of a file that is not stored yet, and wait longer for it. False if its row has changed."""
        update = ConditionalUpdate(
            {"media_type": media_type, "due_at_ms": due_at_ms},
            "#state = :uploading AND #object_key = :object_key AND #size = :size",
            {"uploading": FileState.UPLOADING.value, "object_key": file.object_key, "size": file.size},
        )
        return self._update_unread(update, file_key(file.project_id, file.sha256))

    def confirm(self, file: File) -> File | None:
        """Note that the bytes are in the bucket. None if the row has changed."""
        sets: dict[str, Value] = {"state": FileState.STORED.value, "due_at_ms": self._clock() + KEPT_MS}
        update = ConditionalUpdate(sets, "#object_key = :object_key", {"object_key": file.object_key})
        row = self._update(update, file_key(file.project_id, file.sha256))
        return None if row is None else to_file(row)

    def extend(self, file: File, *, is_use: bool) -> bool:
        """Keep a file for KEPT_MS from now on, to USE_NOTED_MS. `is_use`: a run needs it. False if it is gone.

        It is written only if the last time is older than USE_NOTED_MS.
        """
        now = self._clock()
        noted_at = file.used_at_ms if is_use else file.due_at_ms - KEPT_MS - USE_NOTED_MS
        if noted_at is not None and now - noted_at < USE_NOTED_MS:
            return True
        sets: dict[str, Value] = {"due_at_ms": now + KEPT_MS + USE_NOTED_MS}
        if is_use:
            sets["used_at_ms"] = now
        update = ConditionalUpdate(sets, "#object_key = :object_key", {"object_key": file.object_key})
        return self._update_unread(update, file_key(file.project_id, file.sha256))

    def retire(self, file: File, removable_at_ms: int) -> bool:
        """Take a file away from its project; its object is due later. False if somebody used or replaced it meanwhile.

        The project pays for the bytes until `forget`.
        """
        values: dict[str, Value] = {"object_key": file.object_key, "due": file.due_at_ms}
        condition = "#object_key = :object_key AND #due_at_ms = :due"
        refusal = transact_or_raise(
            self._client,
            {
                "file": delete(self.table_name, file_key(file.project_id, file.sha256), condition, values),
                "removed": self.drop(file.project_id, file.object_key, file.size, removable_at_ms),
            },
        )
        return refusal is None

    def forget(self, project_id: str, object_key: str) -> None:
        """Forget an object that is deleted, and count it no more. Repeating the call is safe."""
        removed = removed_key(project_id, object_key)
        row = self._get(removed)
        if row is None:
            return
        values: dict[str, Value] = {"size": row["size"], "one": 1}
        counted = ConditionalUpdate({}, "", values, computed=("#bytes = #bytes - :size", "#files = #files - :one"))
        transact_or_raise(
            self._client,
            {
                "removed": delete(self.table_name, removed, "attribute_exists(pk)"),
                "count": counted.action(self.table_name, usage_key(project_id)),
            },
        )

    def is_removable(self, project_id: str, object_key: str, now_ms: int) -> bool:
        """Tell whether the object of a retired file is due."""
        row = self._get(removed_key(project_id, object_key))
        return row is not None and row["due_at_ms"] <= now_ms

    def page(self, project_id: str, limit: int, after: str | None) -> Page[File]:
        """Return files in the order of their hashes. `after`: the last hash of the page before."""
        values = {":pk": files_pk(project_id), ":first": f"{FILE}{after}!" if after else FILE, ":last": f"{FILE}~"}
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item(values),
            ConsistentRead=True,
            Limit=limit + 1,
        )
        files = [to_file(from_item(item)) for item in answer["Items"]]
        has_more = len(files) > limit
        return Page(tuple(files[:limit]), files[limit - 1].sha256 if has_more else None)

    def due(self, now_ms: int, limit: int) -> list[DueFile]:
        """Return due files and objects, oldest first."""
        found = [_to_due(row) for shard in DUE_SHARDS for row in self._due(shard, now_ms, limit)]
        return sorted(found, key=lambda entry: entry.due_at_ms)[:limit]

    def hold(self, project_id: str, sha256s: Iterable[str], holder: str) -> None:
        """Keep files while `holder` names them; the sweeper asks it. Repeating the call is safe."""
        for sha256 in sha256s:
            self._client.put_item(TableName=self.table_name, Item=hold_key(project_id, sha256, holder))

    def release(self, project_id: str, sha256: str, holder: str) -> None:
        """Remove a hold whose holder no longer names the file."""
        self._client.delete_item(TableName=self.table_name, Key=hold_key(project_id, sha256, holder))

    def holders(self, project_id: str, sha256: str) -> list[str]:
        """Return all that may keep a file."""
        prefix = f"{HOLD}{sha256}#"
        return [str(row["sk"]).removeprefix(prefix) for row in self._list(files_pk(project_id), prefix)]


def _to_due(row: dict[str, Any]) -> DueFile:
    sk = str(row["sk"])
    sha256 = sk.removeprefix(FILE) if sk.startswith(FILE) else None
    object_key = sk.removeprefix(REMOVED) if sk.startswith(REMOVED) else None
    return DueFile(project_of(row["pk"]), sha256, object_key, row["due_at_ms"])


# Where a project's artifacts are, by their hashes, so that later runs can name them as files.

_MOST_RUNS = 10
"""How many runs with the same artifact a search looks at."""
_CONTENDED = "Other requests keep changing the artifacts of this result. Repeat the request."


class ArtifactStore(Table):
    """The artifacts of all projects. A row may outlive its object, never the other way round."""

    table_setting = "submissions_table"

    def add(self, project_id: str, submission_id: str, artifacts: Iterable[Mapping[str, Any]], ttl: int) -> None:
        """Make the artifacts of a run known until `ttl`: those of its row, with the `key` of each object.

        Repeating the call is safe. Raises UnavailableError.
        """
        actions = [
            put(
                self.table_name,
                to_item(
                    {
                        "pk": artifacts_pk(project_id, sha256),
                        "sk": ARTIFACT + submission_id,
                        "size": artifact["size"],
                        "media_type": artifact["media_type"],
                        "object_key": artifact["key"],
                        "ttl": ttl,
                    }
                ),
            )
            for sha256, artifact in {each["sha256"]: each for each in artifacts}.items()
        ]
        self._write(actions)

    def remove(self, project_id: str, submission_id: str, sha256s: Iterable[str]) -> None:
        """Forget the artifacts of a run. Repeating the call is safe. Raises UnavailableError."""
        sk = ARTIFACT + submission_id
        self._write([delete(self.table_name, key(artifacts_pk(project_id, one), sk)) for one in dict.fromkeys(sha256s)])

    def find(self, project_id: str, sha256: str) -> list[ArtifactObject]:
        """Return some artifacts of the project with this hash."""
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": artifacts_pk(project_id, sha256), ":prefix": ARTIFACT}),
            ConsistentRead=True,
            Limit=_MOST_RUNS,
        )
        rows = [from_item(item) for item in answer["Items"]]
        return [ArtifactObject(sha256, row["size"], row["media_type"], row["object_key"]) for row in rows]

    def _write(self, actions: list[object]) -> None:
        """Write at most 100 rows, as many as a run has artifacts."""
        if actions and transact(self._client, {"artifacts": actions}, TRIES) is not None:
            raise UnavailableError(_CONTENDED, 1)
