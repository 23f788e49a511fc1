"""Find the artifacts in the working directory of a run whose processes are all dead."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from sandbox_runtime.artifacts.media_types import media_type
from sandbox_runtime.artifacts.patterns import Patterns, States
from sandbox_runtime.jail import Box, NotRegularFileError

MOST_FILES = 100
MOST_FILE_BYTES = 25 << 20
MOST_BYTES = 100 << 20
MOST_SECS = 2.0  # CPU time of the walk: on a busy host no program loses its files
MOST_SKIPPED = 20  # are named
MOST_PATH_BYTES = 255
MOST_DEPTH = 8  # names of a path
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
    input_hashes: Mapping[str, str | None],
    *,
    clock: Callable[[], float] = time.thread_time,
) -> Collected:
    """Collect the regular files whose paths match, but not unchanged files of the request.

    `box`: None if a process of the run may live, or the run has not started. `input_hashes`: the SHA-256 of each file
    of the request, by path; None: it is read-only.
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
    input_hashes: Mapping[str, str | None]
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
        input_hash = self.input_hashes.get(path, "")
        if input_hash is None:
            return
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
                if self.total_bytes + size > MOST_BYTES and path not in self.input_hashes:
                    self.skip(path, "total_too_large")
                    return
                digest = self.digest(fd, size)
        except NotRegularFileError:
            self.skip(path, "not_a_regular_file")
        except OSError:
            self.skip(path, "unreadable")
        else:
            if digest == input_hash:
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
        """Note a file that is no artifact."""
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
