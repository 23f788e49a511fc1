"""Programs, inputs, limits and files as commands read them.

Small files go with the request, larger ones are stored by their SHA-256 first.
"""

from __future__ import annotations

import base64
import json
import mimetypes
import os
import stat
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import httpx

from rustbox_cli.errors import CommandError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rustbox_cli.api import Api


CHECKS_SCHEMA = Path(__file__).with_name("checks.schema.json")
"""The service's rules of checks.yaml, of which this package has a copy. It also has the suffixes of languages."""


@cache
def checks_schema() -> dict[str, Any]:
    """Return the JSON Schema of checks.yaml."""
    found: dict[str, Any] = json.loads(CHECKS_SCHEMA.read_text(encoding="utf-8"))
    return found


def language_of(file_name: str) -> str | None:
    """Return the language of a program; None if its suffix is unknown."""
    suffixes: dict[str, str] = checks_schema()["$defs"]["Check"]["properties"]["language"]["x-suffixes"]
    return suffixes.get(PurePath(file_name).suffix.lower())


_MAX_BYTES = 1_048_576
LIMITS = (
    "cpu_time_secs",
    "wall_time_secs",
    "memory_mb",
    "max_processes",
    "output_kb",
    "file_size_mb",
    "open_files",
    "stack_mb",
)
INLINE_MAX_BYTES = 16_384
"""A larger file is stored first."""
_INLINE_TOTAL_BYTES = 262_144
_MOST_FILES = 64
_PIECE_BYTES = 1_048_576
_UPLOAD_SECS = 600
_READ_ONLY = ":ro"
_MIB = 1_048_576
_STORED_MAX_BYTES = 100 * _MIB


def language_for(file_name: str) -> str:
    """Return the language of a file name. Raises UsageError."""
    language = language_of(file_name)
    if language is None:
        raise click.UsageError(f"The language of {file_name!r} is unknown. Give --language.")
    return language


def read_text(source: BinaryIO, what: str) -> str:
    """Read a text of at most 1 MiB. Raises CommandError."""
    content = source.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise CommandError(f"{what} is larger than {_MAX_BYTES:,} bytes.", ExitCode.REFUSED)
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise CommandError(f"{what} is not UTF-8 text.", ExitCode.REFUSED) from None


def limit_value(name: str, text: str) -> float:
    """Return the number of NAME=VALUE. Raises UsageError."""
    if name not in LIMITS:
        raise click.UsageError(f"Unknown limit {name!r}. Limits: {', '.join(LIMITS)}.")
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise click.UsageError(f"{name} must be a number; got {text!r}.") from None


@dataclass(frozen=True)
class LocalFile:
    """A file of this machine, and its path in the run."""

    source: Path
    path: str
    is_read_only: bool = False


def parse_file(text: str) -> LocalFile:
    """Read [PATH=]FILE[:ro]. Raises UsageError."""
    is_read_only = text.endswith(_READ_ONLY)
    path, mark, name = text.removesuffix(_READ_ONLY).rpartition("=")
    source = Path(name)
    if not source.is_file():
        raise click.UsageError(f"There is no file {name!r}.")
    if not mark:
        parts = PurePosixPath(name)
        path = parts.name if parts.is_absolute() or ".." in parts.parts else parts.as_posix()
    return LocalFile(source, path, is_read_only)


def files_of_folder(folder: Path, main: Path) -> list[LocalFile]:
    """Return all files of a program's folder but the main one. Hidden files and links are left out."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__pycache__")))
        for name in sorted(names):
            source = Path(where, name)
            if name.startswith(".") or source.is_symlink() or not source.is_file() or source.samefile(main):
                continue
            found.append(LocalFile(source, source.relative_to(folder).as_posix()))
            if len(found) > _MOST_FILES:
                message = f"{folder} has more than {_MOST_FILES} files beside the main one."
                raise CommandError(message, ExitCode.REFUSED, "Name the needed ones with --file.")
    return found


def entries(api: Api, files: list[LocalFile]) -> list[dict[str, Any]]:
    """Return the files as a request has them. Stores those that are too large for it. Raises CommandError."""
    made, inline_bytes = [], 0
    for file in files:
        size = file.source.stat().st_size
        entry: dict[str, Any] = {"path": file.path} | ({"read_only": True} if file.is_read_only else {})
        if size <= INLINE_MAX_BYTES and inline_bytes + size <= _INLINE_TOTAL_BYTES:
            content = file.source.read_bytes()
            inline_bytes += len(content)
            entry["content_base64"] = base64.b64encode(content).decode()
        else:
            entry["sha256"] = store(api, file.source)["id"]
        made.append(entry)
    return made


def store(api: Api, source: Path) -> dict[str, Any]:
    """Store a file, unless the service has it. Returns its id, and whether it was `sent`. Raises CommandError."""
    size, digest = _measure(source)
    if size > _STORED_MAX_BYTES:
        raise CommandError(f"{source} has {size:,} bytes; a file has at most 100 MiB.", ExitCode.REFUSED)
    media_type = mimetypes.guess_type(source.name)[0] or "application/octet-stream"
    body = {"sha256": digest, "size": size, "media_type": media_type}
    answer = api.call("POST", ("files",), body=body, repeatable=True).body
    if answer["exists"]:
        return {"id": answer["id"], "size": size, "sent": False}
    _send(answer["upload"], source, size)
    if not api.call("POST", ("files",), body=body, repeatable=True).body["exists"]:
        raise CommandError(
            f"{source} was sent, but is not stored.", ExitCode.FAULT, "Did it change meanwhile? Try again."
        )
    return {"id": answer["id"], "size": size, "sent": True}


def _measure(source: Path) -> tuple[int, str]:
    digest, size = sha256(), 0
    for piece in _pieces(source):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def _pieces(source: Path) -> Iterator[bytes]:
    with source.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _send(link: dict[str, Any], source: Path, size: int) -> None:
    """Send the bytes as the service says; the link needs no key, and gets none."""
    headers = {**link["headers"], "content-length": str(size)}
    try:
        response = httpx.request(
            link["method"], link["url"], content=_pieces(source) if size else b"", headers=headers, timeout=_UPLOAD_SECS
        )
    except httpx.TransportError as error:
        raise CommandError(f"The upload of {source} broke ({type(error).__name__}).", ExitCode.UNREACHABLE) from None
    if not response.is_success:
        message = f"The upload of {source} was refused ({response.status_code})."
        raise CommandError(message, ExitCode.REFUSED, response.text[:500])


def piped_input() -> Any:
    """Return this command's standard input if it is a pipe or a file; None for a terminal and anything else."""
    stream = click.get_binary_stream("stdin")
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):  # no such descriptor, or closed
        return None
    return stream if stat.S_ISFIFO(mode) or stat.S_ISREG(mode) else None
