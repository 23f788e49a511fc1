"""What the dynamic linker mapped into this process: the segments of the program and of its libraries, elf(5)."""

import ctypes
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass

_MAGIC = b"\x7fELF"
_LOAD, _RELRO, _WRITABLE = 1, 0x6474E552, 2  # PT_LOAD, PT_GNU_RELRO, PF_W
_AT_PHDR, _AT_PHNUM = 3, 5  # getauxval(3)
_RTLD_DI_LINKMAP = 2  # dlinfo(3)


class _LinkMap(ctypes.Structure):
    """The public part of link_map, link.h."""


_LinkMap._fields_ = [
    ("bias", ctypes.c_size_t),
    ("name", ctypes.c_char_p),
    ("dynamic", ctypes.c_void_p),
    ("next", ctypes.POINTER(_LinkMap)),
]


class _ElfHeader(ctypes.Structure):
    """Elf64_Ehdr."""

    _fields_ = (
        ("magic", ctypes.c_char * 4),
        ("until_headers", ctypes.c_char * 28),
        ("headers_at", ctypes.c_uint64),
        ("until_count", ctypes.c_char * 16),
        ("count", ctypes.c_uint16),
    )


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
    """Of the program first, then of each library. Nothing with another C library."""
    libc = ctypes.CDLL(None)
    libc.dlopen.restype = ctypes.c_void_p
    found = ctypes.POINTER(_LinkMap)()
    program = ctypes.c_void_p(libc.dlopen(None, os.RTLD_LAZY))
    if libc.dlinfo(program, _RTLD_DI_LINKMAP, ctypes.byref(found)):
        return
    libc.getauxval.argtypes, libc.getauxval.restype = [ctypes.c_ulong], ctypes.c_ulong
    yield _segments(found.contents.bias, libc.getauxval(_AT_PHDR), libc.getauxval(_AT_PHNUM))
    while found := found.contents.next:
        bias = found.contents.bias
        header = _ElfHeader.from_address(bias)
        if header.magic == _MAGIC:
            segments = _segments(bias, bias + header.headers_at, header.count)
            if any(segment.is_writable for segment in segments):  # else it is the kernel's own page, vdso(7)
                yield segments


def _segments(bias: int, headers_at: int, count: int) -> list[Segment]:
    found = []
    for header in (_ProgramHeader * count).from_address(headers_at):
        begin = (bias + header.address) // mmap.PAGESIZE * mmap.PAGESIZE
        end = bias + header.address + header.bytes
        if header.kind == _LOAD:
            end = -(-end // mmap.PAGESIZE) * mmap.PAGESIZE
            found.append(Segment(begin, end, is_writable=bool(header.flags & _WRITABLE), is_relocated=False))
        elif header.kind == _RELRO:  # what is on its last page besides was never protected
            found.append(Segment(begin, end // mmap.PAGESIZE * mmap.PAGESIZE, is_writable=True, is_relocated=True))
    return found
