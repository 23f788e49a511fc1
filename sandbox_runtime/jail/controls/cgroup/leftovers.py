"""Decide whether a run may have the memory group of the run before, and bound what earlier groups still hold.

The kernel frees System V segments, tmpfs and socket buffers after their namespaces' end, and keeps file pages for all.
Both stay charged to the group of the run that made them. In the same group they would take the next run's memory, and
nobody could tell them from its own. So a group that is not as good as empty is removed, with its charges, and the
next run gets a new one, at 0.1 ms. A small remainder is kept: each group that is removed with file pages lives on in
the kernel until they are dropped, and a program that reads one page should not cause that.
"""

import time
from collections.abc import Callable

from sandbox_runtime.jail.errors import JailError

HARMLESS_BYTES = 1 << 20
"""At most so much of a run's limit and of its peak is of the run before. Most runs leave half of it."""

_MOST_OLDER_BYTES = 256 << 20  # one run's memory, in most languages
_PAUSE_SECS = 0.001  # nothing can be waited on: the work is a kernel thread's
_LONGEST_SECS = 10.0


def undroppable(stat: dict[str, int], usage_bytes: int, prefix: str = "") -> int:
    """`usage_bytes` without file pages, of `memory.stat`, whose keys begin with `prefix`."""
    return usage_bytes - sum(stat.get(f"{prefix}{key}", 0) for key in ("active_file", "inactive_file"))


def await_older_groups(held_bytes: Callable[[], int], name: str) -> None:
    """Before one more group of a slot is removed: wait until those removed before hold little. Raises JailError.

    So a slot has at most the memory of two runs and `_MOST_OLDER_BYTES`, however slowly the kernel frees it.
    """
    end = time.monotonic() + _LONGEST_SECS
    while held_bytes() > _MOST_OLDER_BYTES:
        if time.monotonic() > end:
            raise JailError("empty the memory groups", name, hint="the runs before have not left them")
        time.sleep(_PAUSE_SECS)
