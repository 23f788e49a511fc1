"""Ids by which clients of other services know files: rows that lead to bytes by their SHA-256, until they expire."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import batched
from typing import Annotated, Any, Final, Self

from functions.aws.dynamodb.conditional import ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import key, to_item
from functions.aws.dynamodb.row_codec import IN_KEY, read, write
from functions.aws.dynamodb.table import TRIES, Row, Table
from functions.aws.dynamodb.transaction import transact
from functions.clock import MS_PER_SEC
from functions.errors import RateLimitedError, TooLargeError, UnavailableError
from functions.files.model import KEPT_MS, ArtifactObject, File
from functions.files.store import files_pk
from functions.projects.model import DAY_MS, Rate, Window

# FILES#<project>     ALIAS#<namespace>#<id>      a client's id of a file or an artifact
# FILES#<project>     WRITTEN#<day>               how many aliases the project wrote in a day

ALIAS: Final = "ALIAS#"
LISTED_MAX = 5_000
"""Aliases of one namespace that a list has at most."""
WRITTEN_MAX = 100_000
"""Aliases that a project writes in a day at most: five for each run of the default quota."""
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
        """Write aliases over older ones with their ids. Repeating the call is safe, and counts again.

        Raises RateLimitedError, UnavailableError.
        """
        pk, by_sk = files_pk(project_id), {_alias_sk(one.namespace, one.alias_id): one for one in aliases}
        if by_sk:
            self._count(project_id, len(by_sk))
        rows = ({**write(one), "pk": pk, "sk": sk, "ttl": one.expires_at} for sk, one in by_sk.items())
        for some in batched(rows, _PER_WRITE):
            self._transact([put(self.table_name, to_item(row)) for row in some])

    def _count(self, project_id: str, written: int) -> None:
        day = Window(DAY_MS, self._clock() // DAY_MS, 0)
        counted = ConditionalUpdate(
            sets={"ttl": (day.number + 2) * DAY_MS // MS_PER_SEC},
            condition="attribute_not_exists(#count) OR #count <= :most",
            condition_values={"most": WRITTEN_MAX - written, "zero": 0, "more": written},
            computed=("#count = if_not_exists(#count, :zero) + :more",),
        )
        if not self._update_unread(counted, key(files_pk(project_id), f"WRITTEN#{day.number}")):
            secs = day.reset_secs(self._clock())
            text = (
                f"A project names {WRITTEN_MAX:,} files in a day (UTC) at most. Repeat the request in {secs} seconds."
            )
            raise RateLimitedError(text, secs, Rate(WRITTEN_MAX, 0, secs).headers)

    def get(self, project_id: str, namespace: str, alias_id: str) -> FileAlias | None:
        row = self._get(key(files_pk(project_id), _alias_sk(namespace, alias_id)))
        return None if row is None else self._live(row)

    def find_all(self, project_id: str, namespace: str) -> list[FileAlias]:
        """Return the aliases of a namespace, oldest first. Raises TooLargeError for over LISTED_MAX."""
        rows = self._list(files_pk(project_id), _alias_sk(namespace, ""), LISTED_MAX + 1)
        if len(rows) > LISTED_MAX:
            raise TooLargeError(f"This session has over {LISTED_MAX:,} files, the most of a list. Begin another one.")
        found = (self._live(row) for row in rows)
        return sorted((one for one in found if one is not None), key=lambda one: one.created_at_ms)

    def delete_some(self, project_id: str) -> int:
        """Delete some aliases of a project; return how many, 0 if none is left. Raises UnavailableError."""
        rows = self._list(files_pk(project_id), ALIAS, _PER_WRITE)
        if rows:
            self._transact([delete(self.table_name, key(row["pk"], row["sk"])) for row in rows])
        return len(rows)

    def _live(self, row: Row) -> FileAlias | None:
        namespace, _, alias_id = str(row["sk"]).removeprefix(ALIAS).partition("#")
        alias = read(FileAlias, {**row, "namespace": namespace, "alias_id": alias_id, "expires_at": row["ttl"]})
        return alias if alias.expires_at * MS_PER_SEC > self._clock() else None

    def _transact(self, actions: list[Any]) -> None:
        if transact(self._client, {"aliases": actions}, TRIES) is not None:
            raise UnavailableError(_CONTENDED, 1)
