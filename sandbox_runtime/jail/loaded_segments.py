"""What the dynamic linker mapped into this process: the segments of the program and of its libraries, elf(5)."""

import ctypes
import mmap
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LOAD, _RELRO, _WRITABLE = 1, 0x6474E552, 2  # PT_LOAD, PT_GNU_RELRO, PF_W
_RTLD_DI_LINKMAP, _RTLD_DI_PHDR = 2, 11  # dlinfo(3); the second since version 2.36 of the C library


class _LinkMap(ctypes.Structure):
    """The public part of link_map, link.h."""


_LinkMap._fields_ = [
    ("bias", ctypes.c_size_t),
    ("name", ctypes.c_char_p),
    ("dynamic", ctypes.c_void_p),
    ("next", ctypes.POINTER(_LinkMap)),
]


class _ProgramHeader(ctypes.Structure):
    """Elf64_Phdr."""

    _fields_ = (
        *(("kind", ctypes.c_uint32), ("flags", ctypes.c_uint32)),
        *((name, ctypes.c_uint64) for name in ("offset", "address", "physical", "file_bytes", "bytes", "alignment")),
    )


@dataclass(frozen=True, slots=True)
class Segment:
    """Whole pages from `begin` to `end`. `is_relocated`: written to by the linker, then protected."""

    begin: int
    end: int
    is_writable: bool
    is_relocated: bool


def loaded() -> Iterator[list[Segment]]:
    """Of the program first, then of each library. Nothing with another C library than a late enough one of GNU's."""
    libc = ctypes.CDLL(None)
    libc.dlopen.restype = ctypes.c_void_p
    found = ctypes.POINTER(_LinkMap)()
    program = ctypes.c_void_p(libc.dlopen(None, os.RTLD_LAZY))
    if libc.dlinfo(program, _RTLD_DI_LINKMAP, ctypes.byref(found)):
        return
    while found:
        headers = ctypes.POINTER(_ProgramHeader)()
        count = libc.dlinfo(found, _RTLD_DI_PHDR, ctypes.byref(headers))
        segments = _segments(found.contents.bias, headers[: max(count, 0)])
        if any(segment.is_writable for segment in segments):  # else it is the kernel's own page, vdso(7)
            yield segments
        found = found.contents.next


def _segments(bias: int, headers: Iterable[_ProgramHeader]) -> list[Segment]:
    found = []
    for header in headers:
        begin = (bias + header.address) // mmap.PAGESIZE * mmap.PAGESIZE
        end = bias + header.address + header.bytes
        if header.kind == _LOAD:
            end = -(-end // mmap.PAGESIZE) * mmap.PAGESIZE
            found.append(Segment(begin, end, is_writable=bool(header.flags & _WRITABLE), is_relocated=False))
        elif header.kind == _RELRO:  # what is on its last page besides was never protected
            found.append(Segment(begin, end // mmap.PAGESIZE * mmap.PAGESIZE, is_writable=True, is_relocated=True))
    return found
