"""Keep the memory that forked processes inherit shared: what nobody writes to is never copied.

CPython writes to an object whenever it is used, for it counts references, except for immortal ones, PEP 683. Page
faults are most of what a fork of a large interpreter costs.
"""

import ctypes
import gc

# object.h of CPython 3.12 and 3.13, 64 bit: ob_refcnt comes first, and a negative lower half makes it immortal.
_IMMORTAL = 0xFFFF_FFFF


def keep_shared() -> None:
    """Make everything that is alive now immortal, and hide it from the collector. For a process that only forks."""
    gc.collect()
    pending: list[object] = gc.get_objects()
    # Holds each object, so that none dies before its count is written.
    alive: dict[int, object] = {}
    while pending:
        found = pending.pop()
        if id(found) not in alive:
            alive[id(found)] = found
            pending.extend(gc.get_referents(found))
    for address in list(alive):
        ctypes.c_ssize_t.from_address(address).value = _IMMORTAL
    gc.freeze()
