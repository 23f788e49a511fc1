"""Keep the memory of a template in huge pages: a fork copies one entry for each instead of 512, and its end drops one.

Where a process writes, the kernel splits its own view of that huge page first, for good, and copies 4 KiB as ever. So
what the template itself writes to from run to run must lie close together: see `shared_pages`.

A huge page lies at a multiple of its size, so all must lie in one piece: while the template gets ready, CPython's
arenas are taken from the heap, beside what malloc(3) takes there, and not from wherever mmap(2) finds room.
"""

import ctypes
import errno

_ARENA_BYTES = 1 << 20  # obmalloc.c of CPython 3.10 and later, 64 bit
_HUGE_PAGE_BYTES = 1 << 21
_COLLAPSE = 25  # MADV_COLLAPSE, madvise(2), since Linux 6.1
_MOST_HUGE_PAGES = 64


class _ArenaAllocator(ctypes.Structure):
    """PyObjectArenaAllocator: alloc(context, size) and free(context, address, size)."""

    _fields_ = (("context", ctypes.c_void_p), ("alloc", ctypes.c_void_p), ("free", ctypes.c_void_p))


class ArenasInHeap:
    """From its making until `collapse`. For a process with one thread."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.sbrk.restype = ctypes.c_void_p
        self._usual = _ArenaAllocator()
        ctypes.pythonapi.PyObject_GetArenaAllocator(ctypes.byref(self._usual))
        # sbrk(2) takes the context for how much it is asked for. Nothing is given back, by a call that does nothing.
        alloc, free = (ctypes.cast(function, ctypes.c_void_p) for function in (self._libc.sbrk, self._libc.getpid))
        ctypes.pythonapi.PyObject_SetArenaAllocator(ctypes.byref(_ArenaAllocator(_ARENA_BYTES, alloc, free)))

    def collapse(self) -> int:
        """Take arenas the usual way again, and make huge pages of the heap. Returns how many; 0 on older kernels."""
        ctypes.pythonapi.PyObject_SetArenaAllocator(ctypes.byref(self._usual))
        end = self._libc.sbrk(0)
        address, made = end - end % _HUGE_PAGE_BYTES, 0
        for _ in range(_MOST_HUGE_PAGES):
            address -= _HUGE_PAGE_BYTES
            if not self._libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(_HUGE_PAGE_BYTES), _COLLAPSE):
                made += 1
            elif ctypes.get_errno() == errno.ENOMEM:
                break  # the heap begins in the middle of this one, or there is no room for huge pages
        return made
