"""Keep the memory of forked processes shared: the kernel copies a page only when a process writes to it.

A copied page costs two microseconds, and a run of a small program takes a few milliseconds. Most writes are reference
counts, and CPython does not count the references of immortal objects, PEP 683.
"""

import ctypes
import gc
from collections.abc import Iterable
from types import CodeType

# object.h of CPython 3.12 and 3.13, 64 bit: ob_refcnt comes first. With a negative lower half the object is immortal.
_IMMORTAL = 0xFFFF_FFFF


def keep_shared() -> None:
    """Make all live objects immortal, and hide them from the collector.

    After this the process must only fork.
    """
    gc.collect()
    _make_immortal()
    gc.collect()  # empties the free lists, which hold dead objects for reuse
    gc.freeze()


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
