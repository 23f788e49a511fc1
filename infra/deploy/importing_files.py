"""Write the stored files of an export into a stage: their bytes into the bucket, then their rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.deploy.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.deploy.target import Target

_NO_LIMIT_BYTES = 1 << 60
"""The import moves what a project had; its quota decides about later files."""


def import_files(
    target: Target, resources: Mapping[str, str], files: Iterable[Mapping[str, Any]], folder: Path
) -> tuple[int, int]:
    """Write the missing files; return how many were written, and how many were there. Raises DeployError."""
    # Imported late: most imports have no files.
    from functions.clock import now_ms  # noqa: PLC0415
    from functions.files.model import KEPT_MS, File, FileState  # noqa: PLC0415
    from functions.files.objects import checksum  # noqa: PLC0415
    from functions.files.store import FileStore  # noqa: PLC0415

    store, s3 = FileStore(resources["SubmissionsTable"], target.client("dynamodb")), target.client("s3")
    written = present = 0
    for exported in files:
        described = {name: value for name, value in exported.items() if name != "holders"}
        file = File(**described, due_at_ms=now_ms() + KEPT_MS, state=FileState.STORED)
        if store.get(file.project_id, file.sha256) is None:
            try:
                content = (folder / Path(file.object_key).name).open("rb")
            except OSError as error:
                raise DeployError(f"{error}: the folder {folder.name} belongs beside the export") from error
            with content:
                s3.put_object(
                    Bucket=resources["PayloadsBucket"],
                    Key=file.object_key,
                    Body=content,
                    ContentType=file.media_type,
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=checksum(file),
                )
            store.create(file, _NO_LIMIT_BYTES)
            written += 1
        else:
            present += 1
        for holder in exported["holders"]:
            store.hold(file.project_id, [file.sha256], holder)
    return written, present
