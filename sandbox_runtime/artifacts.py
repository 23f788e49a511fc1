"""The files that a program leaves: which of them a request asks for, and how they are read from its working directory.

`Patterns` matches paths, `collect` walks over the working directory of a dead run, `media_type` names types. Everything
here was written by a hostile program. Names, number, sizes, depth and time are bounded.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import PurePosixPath
from types import MappingProxyType

from sandbox_runtime.jail import Box, NotRegularFileError

# Patterns of paths, matched in linear time: `*` within a name, `**` for any number of folders.
#
# A path is matched name by name, so that a walk can leave out a folder in which no pattern can match.

ANY_FILE = ("**",)
"""The patterns of every file."""

type States = frozenset[tuple[int, int]]
"""Positions that are reached: (number of the pattern, number of its next part)."""


class Patterns:
    """Several patterns at once. A path matches if one of them does."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._parts = [tuple(pattern.split("/")) for pattern in patterns]
        self.start: States = self._with_empty_folders((number, 0) for number in range(len(self._parts)))

    def after(self, states: States, name: str) -> States:
        """Return the positions after one more name of the path. None reached: nothing below it can match."""
        reached = set[tuple[int, int]]()
        for number, at in states:
            if at == len(self._parts[number]):
                continue
            part = self._parts[number][at]
            if part == "**":
                reached |= {(number, at), (number, at + 1)}
            elif _matches(part, name):
                reached.add((number, at + 1))
        return self._with_empty_folders(reached)

    def accepts(self, states: States) -> bool:
        """Whether the path so far matches."""
        return any(at == len(self._parts[number]) for number, at in states)

    def _with_empty_folders(self, reached: Iterable[tuple[int, int]]) -> States:
        """Add the positions behind `**`, which also matches no folder at all. At the end it needs a name."""
        found = set(reached)
        for number, at in tuple(found):
            parts = self._parts[number]
            while at < len(parts) - 1 and parts[at] == "**":
                at += 1  # noqa: PLW2901 - the position moves on
                found.add((number, at))
        return frozenset(found)


def _matches(part: str, name: str) -> bool:
    """Match one name. Each text between stars is searched once, from left to right."""
    first, *others = part.split("*")
    if not others:
        return name == part
    *middle, last = others
    at, end = len(first), len(name) - len(last)
    if at > end or not (name.startswith(first) and name.endswith(last)):
        return False
    for text in middle:
        at = name.find(text, at, end)
        if at < 0:
            return False
        at += len(text)
    return True


# The media type of a file by the end of its name. The content is a guest's, so nobody looks into it.

UNKNOWN = "application/octet-stream"
_BY_EXTENSION = MappingProxyType(
    {
        ".avif": "image/avif",
        ".bmp": "image/bmp",
        ".csv": "text/csv",
        ".gif": "image/gif",
        ".gz": "application/gzip",
        ".htm": "text/html",
        ".html": "text/html",
        ".jpeg": "image/jpeg",
        ".jpg": "image/jpeg",
        ".json": "application/json",
        ".jsonl": "application/jsonl",
        ".log": "text/plain",
        ".md": "text/markdown",
        ".mp3": "audio/mpeg",
        ".mp4": "video/mp4",
        ".parquet": "application/vnd.apache.parquet",
        ".pdf": "application/pdf",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".tar": "application/x-tar",
        ".tsv": "text/tab-separated-values",
        ".txt": "text/plain",
        ".wav": "audio/wav",
        ".webp": "image/webp",
        ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ".xml": "application/xml",
        ".yaml": "application/yaml",
        ".yml": "application/yaml",
        ".zip": "application/zip",
    }
)


def media_type(path: str) -> str:
    """Return the media type of a path."""
    return _BY_EXTENSION.get(PurePosixPath(path).suffix.lower(), UNKNOWN)


# Find the artifacts in the working directory of a run whose processes are all dead.

MOST_FILES = 100
MOST_FILE_BYTES = 25 << 20
MOST_BYTES = 100 << 20
MOST_SECS = 2.0  # CPU time of the walk: on a busy host no program loses its files
MOST_SKIPPED = 20  # are named
MOST_PATH_BYTES = 255
MOST_DEPTH = 8  # names of a path
SHOWN = ""
"""In place of a hash: nobody can read this file in the box of an ended run, while its mount exists or afterwards."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file. `sha256`: hexadecimal."""

    path: str
    size: int
    sha256: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was asked for and is no artifact. `path` is shown with escapes if it is no ordinary text."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Collected:
    """The artifacts in the order of their paths, and the first MOST_SKIPPED others. `box` has their content."""

    artifacts: tuple[Artifact, ...]
    skipped: tuple[Skipped, ...]
    box: Box | None


class _Kind(IntEnum):
    """`OTHER`: a link, a pipe, a socket or a device. Nobody opens it."""

    FILE, FOLDER, OTHER = range(3)


def _kind(entry: os.DirEntry[str]) -> _Kind:
    if entry.is_dir(follow_symlinks=False):
        return _Kind.FOLDER
    return _Kind.FILE if entry.is_file(follow_symlinks=False) else _Kind.OTHER


class _TooLateError(Exception):
    """MOST_SECS have passed."""


class _EnoughError(Exception):
    """MOST_FILES were found, and there are more."""


def collect(
    box: Box | None,
    patterns: tuple[str, ...],
    input_hashes: Mapping[str, str],
    *,
    clock: Callable[[], float] = time.thread_time,
) -> Collected:
    """Collect the regular files whose paths match, but not unchanged files of the request.

    `box`: None if a process of the run may live, or the run has not started. `input_hashes`: the SHA-256 of each
    unchanged file of the request, or SHOWN, by path.
    """
    if box is None:
        return Collected((), (), None)
    walk = _Walk(box, Patterns(patterns), input_hashes, clock, clock() + MOST_SECS)
    try:
        walk.folder("", 1, walk.patterns.start)
    except _TooLateError:
        walk.skip("", "time")
    except _EnoughError:
        pass
    return Collected(tuple(walk.artifacts), tuple(walk.skipped), box)


def content_of(box: Box, artifact: Artifact) -> bytes:
    """Read an artifact again, to store it. Raises OSError; no process that could change it is alive."""
    content = box.read(artifact.path, artifact.size)
    if content is None or len(content) != artifact.size:
        raise OSError(f"{artifact.path} has changed")
    return content


@dataclass(slots=True)
class _Walk:
    box: Box
    patterns: Patterns
    input_hashes: Mapping[str, str]
    clock: Callable[[], float]
    ends_at: float
    artifacts: list[Artifact] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    total_bytes: int = 0

    def folder(self, path: str, depth: int, states: States) -> None:
        """Collect below a folder, in the order of names. Files come before folders."""
        try:
            with self.box.entries(path) as listed:
                # At most as many as the file system has inodes.
                entries = sorted((entry.name, _kind(entry)) for entry in listed)
        except OSError:
            self.skip(path, "unreadable")
            return
        folders = list[tuple[str, str, States]]()
        for name, kind in entries:
            if self.clock() > self.ends_at:
                raise _TooLateError
            states_after = self.patterns.after(states, name)
            if not states_after:
                continue
            inner = f"{path}/{name}" if path else name
            if kind is _Kind.FOLDER:
                folders.append((inner, name, states_after))
            elif self.patterns.accepts(states_after):
                self.file(inner, kind)
        for inner, name, states_after in folders:
            if depth == MOST_DEPTH or not _is_allowed(inner, name):
                self.skip(inner, "too_deep" if depth == MOST_DEPTH else "name")
            else:
                self.folder(inner, depth + 1, states_after)

    def file(self, path: str, kind: _Kind) -> None:
        """Add a file, or note why not."""
        reason = "not_a_regular_file" if kind is _Kind.OTHER else "name"
        if kind is _Kind.OTHER or not _is_allowed(path, path.rpartition("/")[2]):
            self.skip(path, reason)
            return
        try:
            with self.box.open_file(path) as fd:
                size = os.fstat(fd).st_size
                if size > MOST_FILE_BYTES:
                    self.skip(path, "file_too_large")
                    return
                # One of the request may be unchanged, and count for nothing.
                is_fitting = self.total_bytes + size <= MOST_BYTES
                digest = self.digest(fd, size) if is_fitting or path in self.input_hashes else ""
        except NotRegularFileError:
            self.skip(path, "not_a_regular_file")
        except OSError:
            if self.input_hashes.get(path) != SHOWN:
                self.skip(path, "unreadable")
        else:
            if digest == self.input_hashes.get(path):
                return
            if not is_fitting:
                self.skip(path, "total_too_large")
                return
            if len(self.artifacts) == MOST_FILES:
                self.skip(path, "too_many_files")
                raise _EnoughError
            self.total_bytes += size
            self.artifacts.append(Artifact(path, size, digest, media_type(path)))

    def digest(self, fd: int, size: int) -> str:
        """Hash a whole file. Raises OSError if it is shorter than it was."""
        digest = hashlib.sha256()
        left = size
        while left > 0:
            if self.clock() > self.ends_at:
                raise _TooLateError
            chunk = os.read(fd, min(left, _CHUNK_BYTES))
            if not chunk:
                raise OSError("shorter than it was")
            digest.update(chunk)
            left -= len(chunk)
        return digest.hexdigest()

    def skip(self, path: str, reason: str) -> None:
        if len(self.skipped) < MOST_SKIPPED:
            self.skipped.append(Skipped(_shown(path), reason))


def _is_allowed(path: str, name: str) -> bool:
    """Whether a path could also be that of a file that a request brings."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:  # it is no UTF-8
        return False
    return size <= MOST_PATH_BYTES and name.isprintable()


def _shown(path: str) -> str:
    """Show any path as printable text of at most MOST_PATH_BYTES."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    text = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
    return text.encode()[:MOST_PATH_BYTES].decode(errors="ignore")
