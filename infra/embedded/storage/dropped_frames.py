"""Finds frames of the write-ahead log that SQLite dropped, because they or earlier ones are damaged.

https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_HEADER: Final = struct.Struct(">8I")  # magic, version, page size, checkpoint, two salts, two checksums
_FRAME: Final = struct.Struct(">6I")  # page, pages after a commit, two salts, two checksums
_LITTLE, _BIG = 0x377F0682, 0x377F0683
_MASK: Final = 0xFFFFFFFF


def count_dropped(log: Path, used: int, page_bytes: int) -> int:
    """Count the frames behind a wrong checksum. `used`: frames that SQLite took, the first ones of the log.

    Frames of a transaction that its process did not finish are whole, and not counted.
    """
    try:
        file = log.open("rb")
    except FileNotFoundError:
        return 0
    frame_bytes = _FRAME.size + page_bytes
    with file:
        frames = (os.fstat(file.fileno()).st_size - _HEADER.size) // frame_bytes
        if frames <= used:
            return 0
        # Mapped, not read: beside a long reader, such as a backup, a log grows without a bound.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _count_dropped(content, used, frames, frame_bytes)


def _count_dropped(content: mmap.mmap, used: int, frames: int, frame_bytes: int) -> int:
    magic, *_, first, second = _HEADER.unpack_from(content)
    salts = content[_HEADER.size - 16 : _HEADER.size - 8]
    order = {_LITTLE: "<", _BIG: ">"}.get(magic)
    if order is None or _checksum(order, content[: _HEADER.size - 8], (0, 0)) != (first, second):
        return frames
    places = range(_HEADER.size + used * frame_bytes, _HEADER.size + frames * frame_bytes, frame_bytes)
    # Others are of an earlier use of the log, and in the file long since.
    mine = [at for at in places if content[at + 8 : at + 16] == salts]
    seed = _FRAME.unpack_from(content, places[0] - frame_bytes)[4:] if used else (first, second)
    for number, at in enumerate(mine):
        head = _FRAME.unpack_from(content, at)
        checked = content[at : at + 8] + content[at + _FRAME.size : at + frame_bytes]
        if at != places[number] or _checksum(order, checked, seed) != head[4:]:
            return len(mine) - number
        seed = head[4:]
    return 0


def _checksum(order: str, content: bytes, seed: tuple[int, ...]) -> tuple[int, int]:
    first, second = seed
    for one, other in struct.iter_unpack(f"{order}II", content):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second
