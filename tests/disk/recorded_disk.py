"""Records what processes write to the engine's file and log, and what a loss of power would leave of it.

A write is kept once a flush of its file has ended that began after it. Everything else is forgotten: the worst disk.
`python -m tests.disk.recorded_disk` prints the path of the library, which slows flushes by DISK_FLUSH_US microseconds.
"""

import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from infra.embedded.storage.store import FILE_NAME, LOG_NAME

_HEAD = struct.Struct("<IIQQ")
_KINDS = {1: FILE_NAME, 2: LOG_NAME}
_WRITE, _TRUNCATE, _FLUSH_BEGIN, _FLUSH_END, _UNLINK, _NOTE = range(1, 7)


@cache
def shim() -> Path:
    """Compile the library, once for each process."""
    library = Path(mkdtemp(prefix="rustbox-disk-")) / "disk.so"
    source = Path(__file__).with_name("disk.c")
    subprocess.run(["/usr/bin/gcc", "-Wall", "-Wextra", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


@dataclass(frozen=True, slots=True)
class RecordedDisk:
    """`path`: of the records. Environment variables switch the recording on."""

    path: Path

    @property
    def variables(self) -> dict[str, str]:
        """Of the processes to record, which are Python's or SQLite's."""
        return {"LD_PRELOAD": str(shim()), "DISK_RECORD": str(self.path)}

    def note(self, text: str) -> None:
        """Note that somebody was told something, by now."""
        data = text.encode()
        with self.path.open("ab", buffering=0) as file:
            file.write(_HEAD.pack(0, _NOTE, 0, len(data)) + data)

    def losses(self, before: Path) -> Iterator["Loss"]:
        """Yield the disk after a loss of power before each flush, and at the end. `before`: the folder at the start."""
        loss = Loss({name: _read(before / name) for name in _KINDS.values()})
        pending: dict[str, list[tuple[int, int, int, bytes]]] = {name: [] for name in _KINDS.values()}
        begun: dict[tuple[str, int], int] = {}
        for number, (kind, op, place, data) in enumerate(_records(self.path.read_bytes())):
            if op == _NOTE:
                loss.notes.append(data.decode())
                continue
            name = _KINDS[kind]
            if op == _FLUSH_BEGIN:
                begun[name, place] = number
            elif op == _FLUSH_END:
                yield loss
                since = begun.pop((name, place))
                for _, done, at, content in [write for write in pending[name] if write[0] < since]:
                    loss.apply(name, done, at, content)
                pending[name] = [write for write in pending[name] if write[0] > since]
            elif op == _UNLINK:
                loss.files[name], pending[name] = bytearray(), []
            else:
                pending[name].append((number, op, place, data))
        yield loss


@dataclass(slots=True)
class Loss:
    """What the disk holds, and what somebody was told before."""

    files: dict[str, bytearray]
    notes: list[str] = field(default_factory=list)

    def apply(self, name: str, op: int, place: int, data: bytes) -> None:
        """Put a write or a new size on the disk."""
        content = self.files[name]
        if op == _WRITE:
            content.extend(bytes(max(0, place - len(content))))
            content[place : place + len(data)] = data
        else:
            del content[place:]
            content.extend(bytes(place - len(content)))

    def write(self, folder: Path) -> None:
        """Make the folder as the next start finds it."""
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            if old.is_file():
                old.unlink()
        for name, content in self.files.items():
            if content:
                (folder / name).write_bytes(content)


def _read(path: Path) -> bytearray:
    return bytearray(path.read_bytes()) if path.exists() else bytearray()


def _records(content: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    at = 0
    while at < len(content):
        kind, op, place, length = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        yield kind, op, place, content[at : at + length]
        at += length


if __name__ == "__main__":
    print(shim())  # noqa: T201 - it is the output
