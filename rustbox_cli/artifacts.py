"""Files that a program left: list them, and save them below a folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.output import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rustbox_cli.api import Api

_FROM_DEVICES = frozenset("\\:") if os.name == "nt" else frozenset[str]()


def artifact_lines(result: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each file, kept or not."""
    for file in result.get("artifacts", ()):
        yield f"artifact {plain(file['path'])}, {file['size']:,} bytes"
    for file in result.get("artifacts_skipped", ()):
        yield f"not kept: {plain(file['path']) or 'other files'} ({plain(file['reason'])})"


def save_artifacts(api: Api, result: dict[str, Any], folder: Path) -> Iterator[Path]:
    """Write all files of a result below a folder, and yield their paths. Raises CommandError."""
    for file in result.get("artifacts", ()):
        target = _target(folder, file["path"])
        content = api.stored_bytes(("result", result["id"], "artifacts", *file["path"].split("/")))
        if hashlib.sha256(content).hexdigest() != file["sha256"]:
            raise CommandError(f"{plain(file['path'])} has another SHA-256 than its result says.", ExitCode.FAULT)
        try:
            if not target.parent.resolve().is_relative_to(folder.resolve()):  # a link of this folder leads elsewhere
                raise CommandError(f"{target} is outside of {folder}.", ExitCode.REFUSED)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)  # never through a link of this name
            target.write_bytes(content)
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error.strerror}.", ExitCode.FAULT) from None
        yield target


def _target(folder: Path, path: str) -> Path:
    """Return where to save a file. The service promises relative paths; nothing is written outside anyway."""
    parts = PurePosixPath(path).parts
    if path.startswith("/") or not parts or ".." in parts or not _FROM_DEVICES.isdisjoint(path):
        raise CommandError(f"{plain(path)!r} is no path below a folder.", ExitCode.FAULT)
    return folder.joinpath(*parts)
