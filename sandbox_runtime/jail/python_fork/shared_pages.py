"""Keep the memory of forked processes shared: the kernel copies a page only when a process writes to it.

A copied page costs two microseconds, and a run of a small program takes a few milliseconds. Two kinds of writes matter.
CPython counts references, except those of immortal objects, PEP 683. And it puts new objects into holes between old
ones, all over the memory.
"""

import ctypes
import gc
from collections.abc import Callable, Iterable
from types import CodeType

# object.h of CPython 3.12 and 3.13, 64 bit: ob_refcnt comes first. With a negative lower half the object is immortal.
_IMMORTAL = 0xFFFF_FFFF
# obmalloc.c: sizes in steps of 16 up to 512 bytes. A pool holds blocks of one size, and is filled from its start.
_SIZE_STEP, _LARGEST_SMALL_BYTES, _POOL_BYTES, _POOL_HEADER_BYTES = 16, 512, 1 << 14, 48
_FRESH_RUN = 4  # this many adjacent blocks from the start of a pool show that the pool is new
# malloc(3): CPython takes larger blocks from it, and smaller ones only rarely.
_LARGEST_HOLE_BYTES, _HOLE_SHARE = 1 << 16, 8
_EXACT_BYTES = 1 << 11  # below, malloc(3) has a free list for each size
# Limits in case the allocators work in another way. Holes that remain cost only time.
_MOST_BLOCKS, _MOST_BYTES = 1 << 16, 1 << 24


def keep_shared() -> None:
    """Make all live objects immortal, hide them from the collector, and fill the holes.

    After this the process must only fork.
    """
    gc.collect()
    fill_holes()
    _make_immortal()
    gc.collect()  # empties the free lists, which hold dead objects for reuse
    gc.freeze()
    fill_holes()


def fill_holes() -> None:
    """Allocate all free blocks between lasting objects, so that new objects of a fork lie together.

    Repeat it when the process has done each of its tasks once: freed objects leave new holes.
    """
    _fill_small_holes()
    _fill_large_holes()


def _make_immortal() -> None:
    pending: list[object] = gc.get_objects()
    # This refers to each object, so that none dies before its count is written.
    alive: dict[int, object] = {}
    while pending:
        found = pending.pop()
        if id(found) not in alive:
            alive[id(found)] = found
            pending.extend(_parts(found) if isinstance(found, CodeType) else gc.get_referents(found))
            if isinstance(found, str):
                hash(found)  # a string stores its hash at the first call
    for address in list(alive):
        ctypes.c_ssize_t.from_address(address).value = _IMMORTAL


def _parts(code: CodeType) -> Iterable[object]:
    """Return the parts of a code object, which the collector does not track because it is no container."""
    return (
        *(code.co_consts, code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars),
        *(code.co_filename, code.co_name, code.co_qualname, code.co_linetable, code.co_exceptiontable),
    )


def _fill_small_holes() -> None:
    """Allocate every free block of each size, until the allocator opens a new pool."""
    allocate = _bounded(ctypes.pythonapi.PyObject_Malloc)
    for size in range(_SIZE_STEP, _LARGEST_SMALL_BYTES + 1, _SIZE_STEP):
        last, run = 0, 0
        while run < _FRESH_RUN:
            block = allocate(size)
            if not block:
                return
            is_first, is_next = block % _POOL_BYTES == _POOL_HEADER_BYTES, run and block == last + size
            last, run = block, 1 if is_first else run + 1 if is_next else 0


class _MallocInfo(ctypes.Structure):
    """Fields of mallinfo(3). `fordblks`: free bytes. `keepcost`: free bytes at the end of the heap."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()  # noqa: SIM905 - as the manual lists them
    )


def _fill_large_holes() -> None:
    """Allocate every free block of malloc(3), the largest first, until blocks come from the end of the heap."""
    libc = ctypes.CDLL(None)
    allocate, look = _bounded(libc.malloc), libc.mallinfo2
    look.restype = _MallocInfo
    size = _LARGEST_HOLE_BYTES
    while size > _LARGEST_SMALL_BYTES:
        end = look().keepcost
        block = allocate(size)
        if not block:
            return
        if look().keepcost < end:
            libc.free(ctypes.c_void_p(block))
            size -= _SIZE_STEP if size <= _EXACT_BYTES else size // _HOLE_SHARE // _SIZE_STEP * _SIZE_STEP


def _bounded(function: "ctypes._NamedFuncPointer") -> Callable[[int], int]:
    """Wrap an allocating function. It returns 0 when there is no memory, or above _MOST_BLOCKS or _MOST_BYTES."""
    function.argtypes, function.restype = [ctypes.c_size_t], ctypes.c_size_t
    given = [0, 0]

    def allocate(size: int) -> int:
        given[0] += 1
        given[1] += size
        return 0 if given[0] > _MOST_BLOCKS or given[1] > _MOST_BYTES else int(function(size) or 0)

    return allocate
