"""Ids by which clients of other services know files: rows that lead to bytes by their SHA-256, until they expire."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import batched
from typing import Annotated, Any, Final, Self

from functions.aws.dynamodb.conditional import delete, put
from functions.aws.dynamodb.items import from_item, key, to_item
from functions.aws.dynamodb.row_codec import IN_KEY, read, write
from functions.aws.dynamodb.table import TRIES, Row, Table
from functions.aws.dynamodb.transaction import transact
from functions.clock import MS_PER_SEC
from functions.errors import UnavailableError
from functions.files.model import KEPT_MS, ArtifactObject, File
from functions.files.store import files_pk

# FILES#<project>     ALIAS#<namespace>#<id>      a client's id of a file or an artifact

ALIAS: Final = "ALIAS#"
LISTED_MAX = 1_000
"""Aliases of one namespace that a list has at most."""
_PER_WRITE: Final = 100
_CONTENDED = "Other requests keep changing these files. Repeat the request."


@dataclass(frozen=True, slots=True)
class FileAlias:
    """A file under the id of a client. `namespace`, `alias_id`: without `#`. `name`: its path for programs.

    `created_at_ms`, `expires_at`: epoch milliseconds, epoch seconds.
    """

    namespace: Annotated[str, IN_KEY]
    alias_id: Annotated[str, IN_KEY]
    sha256: str
    size: int
    media_type: str
    name: str
    created_at_ms: int
    expires_at: Annotated[int, IN_KEY]

    @classmethod
    def of(cls, namespace: str, alias_id: str, name: str, file: File | ArtifactObject | Self, now_ms: int) -> Self:
        """Return an alias that lives as long as an unused file."""
        expires_at = (now_ms + KEPT_MS) // MS_PER_SEC
        return cls(namespace, alias_id, file.sha256, file.size, file.media_type, name, now_ms, expires_at)


def _alias_sk(namespace: str, alias_id: str) -> str:
    return f"{ALIAS}{namespace}#{alias_id}"


class FileAliases(Table):
    """The aliases of all projects. An expired one is not there, whether its row still is or not."""

    table_setting = "submissions_table"

    def put(self, project_id: str, aliases: Iterable[FileAlias]) -> None:
        """Write aliases over older ones with their ids. Repeating the call is safe. Raises UnavailableError."""
        pk, by_sk = files_pk(project_id), {_alias_sk(one.namespace, one.alias_id): one for one in aliases}
        rows = ({**write(one), "pk": pk, "sk": sk, "ttl": one.expires_at} for sk, one in by_sk.items())
        for some in batched(rows, _PER_WRITE):
            self._transact([put(self.table_name, to_item(row)) for row in some])

    def get(self, project_id: str, namespace: str, alias_id: str) -> FileAlias | None:
        row = self._get(key(files_pk(project_id), _alias_sk(namespace, alias_id)))
        return None if row is None else self._live(row)

    def find_all(self, project_id: str, namespace: str) -> list[FileAlias]:
        """Return the aliases of a namespace, oldest first."""
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": files_pk(project_id), ":prefix": _alias_sk(namespace, "")}),
            ConsistentRead=True,
            Limit=LISTED_MAX,
        )
        found = (self._live(from_item(item)) for item in answer["Items"])
        return sorted((one for one in found if one is not None), key=lambda one: one.created_at_ms)

    def delete_all(self, project_id: str) -> None:
        """Delete the aliases of a project. Raises UnavailableError."""
        for some in batched(self._list(files_pk(project_id), ALIAS), _PER_WRITE):
            self._transact([delete(self.table_name, key(row["pk"], row["sk"])) for row in some])

    def _live(self, row: Row) -> FileAlias | None:
        namespace, _, alias_id = str(row["sk"]).removeprefix(ALIAS).partition("#")
        alias = read(FileAlias, {**row, "namespace": namespace, "alias_id": alias_id, "expires_at": row["ttl"]})
        return alias if alias.expires_at * MS_PER_SEC > self._clock() else None

    def _transact(self, actions: list[Any]) -> None:
        if transact(self._client, {"aliases": actions}, TRIES) is not None:
            raise UnavailableError(_CONTENDED, 1)
