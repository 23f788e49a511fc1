"""Rows of files, in the submissions table.

FILES#<project>     FILE#<sha256>               a file
FILES#<project>     USAGE                       how many files and bytes the project stores
FILES#<project>     REMOVED#<object key>        an object whose file is gone; runs may need it until it is due
FILES#<project>     HOLD#<sha256>#<holder>      something that keeps a file, such as a check

FILES#<project>#<sha256>    ARTIFACT#<submission>   an artifact with this hash, until its result is gone
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.aws.dynamodb.items import key
from functions.aws.dynamodb.row_codec import read, write
from functions.files.model import File

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Key

DUE_SHARD: Final = "FILES"
"""All of them are in one partition of the due index: a file is written once an hour at most."""
FILE: Final = "FILE#"
REMOVED: Final = "REMOVED#"
HOLD: Final = "HOLD#"
ARTIFACT: Final = "ARTIFACT#"
_PK: Final = "FILES#"


def files_pk(project_id: str) -> str:
    """Return the partition key of a project's files."""
    return f"{_PK}{project_id}"


def project_of(pk: str) -> str:
    """Return the project of a partition key."""
    return pk.removeprefix(_PK)


def file_key(project_id: str, sha256: str) -> Key:
    """Return the primary key of a file."""
    return key(files_pk(project_id), FILE + sha256)


def usage_key(project_id: str) -> Key:
    """Return the primary key of a project's count."""
    return key(files_pk(project_id), "USAGE")


def removed_key(project_id: str, object_key: str) -> Key:
    """Return the primary key of an object whose file is gone."""
    return key(files_pk(project_id), REMOVED + object_key)


def hold_key(project_id: str, sha256: str, holder: str) -> Key:
    """Return the primary key of a hold."""
    return key(files_pk(project_id), f"{HOLD}{sha256}#{holder}")


def artifacts_pk(project_id: str, sha256: str) -> str:
    """Return the partition key of the artifacts with a hash."""
    return f"{_PK}{project_id}#{sha256}"


def file_row(file: File) -> dict[str, Any]:
    """Return the row of a file."""
    keys = {"pk": files_pk(file.project_id), "sk": FILE + file.sha256, "due_shard": DUE_SHARD}
    return {**write(file), **keys}


def to_file(row: dict[str, Any]) -> File:
    """Decode the row of a file."""
    return read(File, {**row, "project_id": project_of(row["pk"]), "sha256": str(row["sk"]).removeprefix(FILE)})
