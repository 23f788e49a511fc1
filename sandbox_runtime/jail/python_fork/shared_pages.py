"""Keep the memory of forked processes shared: pages without writes are never copied.

A copied page costs two microseconds, and a run of a small program is a few milliseconds. Three kinds of writing matter:
CPython counts references, except for immortal objects, PEP 683; it puts new objects into the holes that old ones left,
which lie all over the memory; and it writes into the code of a function that runs, PEP 659.
"""

import ctypes
import gc
from collections.abc import Callable, Iterable
from types import CodeType

# object.h of CPython 3.12 and 3.13, 64 bit: ob_refcnt comes first, and a negative lower half makes it immortal.
_IMMORTAL = 0xFFFF_FFFF
# obmalloc.c: sizes in steps of 16 up to 512 bytes; a pool holds one size, and is filled from its beginning.
_SIZE_STEP, _LARGEST_SMALL_BYTES, _POOL_BYTES, _POOL_HEADER_BYTES = 16, 512, 1 << 14, 48
_FRESH_RUN = 4  # so many blocks one behind the other, the first of them the first of its pool
# malloc(3): what Python asks of it is larger than that, or so seldom that it does not matter.
_LARGEST_HOLE_BYTES, _HOLE_SHARE = 1 << 16, 8
_EXACT_BYTES = 1 << 11  # smaller ones wait in lists of one size each
# An allocator that is not as described here would be asked for ever. Holes that are left cost time only.
_MOST_BLOCKS, _MOST_BYTES = 1 << 16, 1 << 24


def keep_shared() -> None:
    """Put our own code into one place, make all that is alive immortal, hide it from the collector, fill the holes.

    For a process that only forks from here on.
    """
    gc.collect()
    fill_holes()
    _make_immortal()
    gc.collect()  # empties the free lists, in which dead objects wait for the next of their type
    gc.freeze()
    fill_holes()


def fill_holes() -> None:
    """Use up what is free between objects that stay, so that a fork's new ones lie together.

    To be repeated when the process has done all that it will ever do: what it let go of meanwhile left new ones.
    """
    _fill_small_holes()
    _fill_large_holes()


def _make_immortal() -> None:
    pending: list[object] = gc.get_objects()
    # Holds each object, so that none dies before its count is written.
    alive: dict[int, object] = {}
    while pending:
        found = pending.pop()
        if id(found) not in alive:
            alive[id(found)] = found
            pending.extend(_parts(found) if isinstance(found, CodeType) else gc.get_referents(found))
            if isinstance(found, str):
                hash(found)  # which is stored in it when it is first asked for
    for address in list(alive):
        ctypes.c_ssize_t.from_address(address).value = _IMMORTAL


def _parts(code: CodeType) -> Iterable[object]:
    """Find objects that the collector does not track: it tracks containers only, and code objects are none."""
    return (
        *(code.co_consts, code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars),
        *(code.co_filename, code.co_name, code.co_qualname, code.co_linetable, code.co_exceptiontable),
    )


def _fill_small_holes() -> None:
    """Take every free block of each size, until the allocator opens a new pool."""
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
    """Fields of mallinfo(3): `fordblks` free bytes, `keepcost` those of them at the end of the heap."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()  # noqa: SIM905 - as the manual lists them
    )


def _fill_large_holes() -> None:
    """Take every free block of malloc(3), the largest first, until it has to be taken from the end of the heap."""
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
    """An allocating function that gives 0 when it has nothing, or has given more than holes can be."""
    function.argtypes, function.restype = [ctypes.c_size_t], ctypes.c_size_t
    given = [0, 0]

    def allocate(size: int) -> int:
        given[0] += 1
        given[1] += size
        return 0 if given[0] > _MOST_BLOCKS or given[1] > _MOST_BYTES else int(function(size) or 0)

    return allocate
