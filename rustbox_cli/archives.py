"""Zip files as folders: problem packages (`.zip`, `.kpp`) and programs of people who may want something else."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.output import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUFFIXES = {".zip", ".kpp"}
_MIB = 1024 * 1024
_PIECE_BYTES = _MIB
_MOST_PARTS = 16
_DIRECTORY_MAX_BYTES = 4 * _MIB
"""The list of names at the end of a zip file. `zipfile` reads it whole: 4 MiB are at most 90,000 names."""
_END = b"PK\5\6"
_END_BYTES, _COMMENT_MAX_BYTES, _SIZE_AT = 22, 65_535, 12
_LOCATOR = b"PK\6\7"
_LOCATOR_BYTES = 20
_ENCRYPTED = 1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""The others may ask for gigabytes of memory."""
_IGNORED = {"__MACOSX", ".DS_Store"}


@dataclass(frozen=True)
class Bounds:
    """The most files of a zip file, and the most bytes of all of them together."""

    files: int
    total_bytes: int


PACKAGE = Bounds(20_000, 2048 * _MIB)
PROGRAM = Bounds(1_000, 128 * _MIB)


def is_zip(path: Path) -> bool:
    """Whether a path is a zip file by its name."""
    return path.suffix.lower() in _SUFFIXES and path.is_file()


@contextmanager
def folder_of(path: Path, bounds: Bounds, *, strips: bool = True) -> Iterator[Path]:
    """Yield a folder as it is, or a zip file as a folder that is deleted afterwards. Raises CommandError.

    `strips`: a zip file with one folder, and nothing beside it, is that folder.
    """
    if not is_zip(path):
        yield path
        return
    with TemporaryDirectory(prefix="rustbox-") as made:
        folder = Path(made, "content")
        folder.mkdir()
        try:
            _check_directory(path)
            with zipfile.ZipFile(path) as archive:
                _unpack(path, archive, folder, bounds)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, struct.error, zlib.error):
            raise _refused(path, "is damaged, or no zip file") from None
        except OSError as error:
            raise _refused(path, f"cannot be unpacked: {error.strerror}") from None
        inner = list(folder.iterdir())
        yield inner[0] if strips and len(inner) == 1 and inner[0].is_dir() else folder


def _refused(path: Path, what: str) -> CommandError:
    return CommandError(f"{plain(str(path))} {what}.", ExitCode.REFUSED)


def _check_directory(path: Path) -> None:
    """Raise CommandError for a list of names that would take much memory. It looks where `zipfile` looks."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _COMMENT_MAX_BYTES - _END_BYTES - _LOCATOR_BYTES))
        tail = file.read()
    end = tail.rfind(_END)
    if end < 0:
        raise zipfile.BadZipFile
    (size,) = struct.unpack_from("<I", tail, end + _SIZE_AT)
    is_zip64 = tail[max(0, end - _LOCATOR_BYTES) : end].startswith(_LOCATOR)
    if size > _DIRECTORY_MAX_BYTES or is_zip64:
        raise _refused(path, "has too many files, or is of the form Zip64")


def _unpack(path: Path, archive: zipfile.ZipFile, folder: Path, bounds: Bounds) -> None:
    """Write all files. Raises CommandError for names that lead out of the folder, links, and too much content."""
    left_bytes, written = bounds.total_bytes, set[str]()
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > bounds.files:
        raise _refused(path, f"has {len(members):,} files; {bounds.files:,} are allowed")
    for member in members:
        parts = _parts(path, member)
        if _IGNORED & {*parts}:
            continue
        name = "/".join(parts).casefold()
        if name in written:
            raise _refused(path, f"has {plain(member.filename)!r} twice")
        written.add(name)
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("xb") as file:
            while piece := source.read(_PIECE_BYTES):
                left_bytes -= len(piece)
                if left_bytes < 0:
                    raise _refused(path, f"has more than {bounds.total_bytes // _MIB:,} MiB of content")
                file.write(piece)


def _parts(path: Path, member: zipfile.ZipInfo) -> tuple[str, ...]:
    """Return the folders and the name of a file. Raises CommandError."""
    name = member.filename
    parts = PurePosixPath(name).parts
    is_special = stat.S_IFMT(member.external_attr >> 16) not in {0, stat.S_IFREG}
    if is_special or member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
        raise _refused(path, f"has {plain(name)!r}, which is a link, a device, encrypted or not packed by deflate")
    # A colon is a device on Windows. `zipfile` has made slashes of the separators of this system.
    if not parts or len(parts) > _MOST_PARTS or ".." in parts or not {"/", "\\", ":"}.isdisjoint("".join(parts)):
        raise _refused(path, f"has {plain(name)!r}, which is no path below a folder")
    return parts
