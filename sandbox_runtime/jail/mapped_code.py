"""Map the interpreter and its libraries with fewer entries: a fork copies, touches anew and drops each of them.

A library is mapped in five pieces with rights of their own. In a process that only forks they become two: what is not
written to may be executed, and what was relocated stays writable. The interpreter's own code moves to huge pages, of
which a fork copies one entry instead of taking some fifty page faults. Whatever a guest can do with that to its own
interpreter it can do to it in other ways; nothing of it is anybody else's.
"""

import ctypes
import mmap
from collections.abc import Sequence
from itertools import pairwise

from sandbox_runtime.jail.huge_pages import COLLAPSE, HUGE_PAGE_BYTES
from sandbox_runtime.jail.loaded_segments import Segment, loaded

_MOST_HUGE_PAGES = 8
_MREMAP_MAYMOVE, _MREMAP_FIXED = 1, 2  # mremap(2)
_MAP_FAILED = ctypes.c_void_p(-1).value


def map_densely(*, with_huge_pages: bool = True) -> int:
    """Returns how many huge pages hold code now: none where the kernel makes none, or lets no process make code.

    `with_huge_pages`: not where pages of a process are counted as its own one by one, for each of its forks would have
    them. Whatever is refused stays as it was; but where memory is so short that the kernel has unmapped the old code
    when it is refused the last page for the new, the process dies.
    """
    libc = _libc()
    programs = list(loaded())
    for segments in programs:
        for segment in segments:
            if segment.is_relocated or not segment.is_writable:
                rights = mmap.PROT_WRITE if segment.is_relocated else mmap.PROT_EXEC
                libc.mprotect(segment.begin, segment.end - segment.begin, mmap.PROT_READ | rights)
    return _move_to_huge_pages(libc, programs[0]) if programs and with_huge_pages else 0


def _libc() -> ctypes.CDLL:
    libc, size, number = ctypes.CDLL(None), ctypes.c_size_t, ctypes.c_int
    for name, *types in (
        ("mmap", size, size, number, number, number, ctypes.c_long),
        ("munmap", size, size),
        ("mprotect", size, size, number),
        ("madvise", size, size, number),
        ("mremap", size, size, size, number, size),
    ):
        getattr(libc, name).argtypes = types
    libc.mmap.restype = libc.mremap.restype = size
    return libc


def _move_to_huge_pages(libc: ctypes.CDLL, program: Sequence[Segment]) -> int:
    """Constants move with it, as far as they lie on the same huge pages."""
    unwritten = [segment for segment in program if not segment.is_writable]
    if not unwritten or any(one.end != other.begin for one, other in pairwise(unwritten)):
        return 0  # a gap between them is nobody's, or somebody else's
    begin = -(-unwritten[0].begin // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES
    pages = min(_MOST_HUGE_PAGES, (unwritten[-1].end - begin) // HUGE_PAGE_BYTES)
    return pages if pages > 0 and _replace(libc, begin, pages * HUGE_PAGE_BYTES) else 0


def _replace(libc: ctypes.CDLL, begin: int, size: int) -> bool:
    """By a copy. One call of the kernel's puts it into the place of what is being executed."""
    room = libc.mmap(
        *(0, size + HUGE_PAGE_BYTES, mmap.PROT_READ | mmap.PROT_WRITE),
        *(mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0),
    )
    if room == _MAP_FAILED:
        return False
    copy = -(-room // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES
    ctypes.memmove(copy, begin, size)
    is_replaced = (
        not libc.madvise(copy, size, COLLAPSE)
        and not libc.mprotect(copy, size, mmap.PROT_READ | mmap.PROT_EXEC)
        and libc.mremap(copy, size, size, _MREMAP_MAYMOVE | _MREMAP_FIXED, begin) == begin
    )
    if not is_replaced:
        libc.munmap(copy, size)
    for left, end in ((room, copy), (copy + size, room + size + HUGE_PAGE_BYTES)):
        if left < end:
            libc.munmap(left, end - left)
    return is_replaced
