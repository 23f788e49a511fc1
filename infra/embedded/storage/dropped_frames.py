"""Finds frames of the write-ahead log that SQLite dropped, because they or earlier ones are damaged.

https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

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
        content = log.read_bytes()
    except FileNotFoundError:
        return 0
    frame_bytes = _FRAME.size + page_bytes
    frames = (len(content) - _HEADER.size) // frame_bytes
    if frames <= used:
        return 0
    magic, *_, salt, other_salt, first, second = _HEADER.unpack_from(content)
    order = {_LITTLE: "<", _BIG: ">"}.get(magic)
    if order is None or _checksum(order, content[: _HEADER.size - 8], (0, 0)) != (first, second):
        return frames
    heads = [_FRAME.unpack_from(content, _HEADER.size + number * frame_bytes) for number in range(frames)]
    # Others are of an earlier use of the log, and in the file long since.
    mine = [number for number in range(used, frames) if heads[number][2:4] == (salt, other_salt)]
    seed = heads[used - 1][4:] if used else (first, second)
    for place, number in enumerate(mine):
        at = _HEADER.size + number * frame_bytes
        checked = content[at : at + 8] + content[at + _FRAME.size : at + frame_bytes]
        if number != used + place or _checksum(order, checked, seed) != heads[number][4:]:
            return len(mine) - place
        seed = heads[number][4:]
    return 0


def _checksum(order: str, content: bytes, seed: tuple[int, ...]) -> tuple[int, int]:
    first, second = seed
    for one, other in struct.iter_unpack(f"{order}II", content):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second
