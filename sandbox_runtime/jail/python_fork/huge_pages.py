"""Keep the memory of a template in huge pages. Then a fork copies one page table entry instead of 512.

When a process writes to a huge page, the kernel splits it for that process and copies 4 KiB. So processes should write
to few pages: see `fork`.

Huge pages must be aligned, so the memory must be contiguous. While the template starts, CPython takes its arenas from
the heap, beside the memory of malloc(3), and not from mmap(2).
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
    """Makes CPython take its arenas from the heap, until `collapse`. For a process with one thread."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.sbrk.restype = ctypes.c_void_p
        self._usual = _ArenaAllocator()
        ctypes.pythonapi.PyObject_GetArenaAllocator(ctypes.byref(self._usual))
        # alloc(context, size) is sbrk(2), which takes the context as the size. free is getpid(2), which does nothing.
        alloc, free = (ctypes.cast(function, ctypes.c_void_p) for function in (self._libc.sbrk, self._libc.getpid))
        ctypes.pythonapi.PyObject_SetArenaAllocator(ctypes.byref(_ArenaAllocator(_ARENA_BYTES, alloc, free)))

    def collapse(self) -> int:
        """Restore the usual allocator, and make huge pages of the heap. Returns their number; 0 on older kernels."""
        ctypes.pythonapi.PyObject_SetArenaAllocator(ctypes.byref(self._usual))
        end = self._libc.sbrk(0)
        address, made = end - end % _HUGE_PAGE_BYTES, 0
        for _ in range(_MOST_HUGE_PAGES):
            address -= _HUGE_PAGE_BYTES
            if not self._libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(_HUGE_PAGE_BYTES), _COLLAPSE):
                made += 1
            elif ctypes.get_errno() == errno.ENOMEM:
                break  # the heap starts inside this page, or no huge page is free
        return made
