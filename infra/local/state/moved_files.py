"""The stored files that an export moves: those that checks hold. Problems, and files that nothing holds, stay.

Their descriptions are in the export, and their bytes in a folder beside it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.embedded.storage.group_flush import sync

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mypy_boto3_s3 import S3Client

    from functions.files.store import FileStore

_PAGE = 100


def folder_of(export: Path) -> Path:
    """Return the folder with the bytes of an export's files."""
    return export.with_name(f"{export.name}.files")


def held_files(store: FileStore, project_ids: Iterable[str]) -> list[dict[str, Any]]:
    """Return the stored files of these projects that checks hold."""
    return [described for project_id in project_ids for described in _held_files(store, project_id)]


def _held_files(store: FileStore, project_id: str) -> Iterator[dict[str, Any]]:
    # Imported late: a missing folder is told at once, without the imports of the functions.
    from functions.checks.settings.file_holds import HOLDER  # noqa: PLC0415

    after = None
    while True:
        page = store.page(project_id, _PAGE, after)
        for file in page.rows:
            holders = [one for one in store.holders(project_id, file.sha256) if one.startswith(HOLDER)]
            if holders:
                yield {
                    "project_id": project_id,
                    "sha256": file.sha256,
                    "size": file.size,
                    "media_type": file.media_type,
                    "object_key": file.object_key,
                    "created_at": file.created_at,
                    "holders": holders,
                }
        after = page.next_created_key
        if after is None:
            return


def write_contents(s3: S3Client, bucket: str, files: Iterable[dict[str, Any]], folder: Path) -> None:
    """Write the bytes of files into a new folder, for its owner only. Raises OSError."""
    folder.mkdir(mode=0o700)
    for file in files:
        body = s3.get_object(Bucket=bucket, Key=file["object_key"])["Body"]
        with (folder / Path(file["object_key"]).name).open("xb") as target:
            shutil.copyfileobj(body, target)
            target.flush()
            os.fsync(target.fileno())
        body.close()
    sync(folder)
