"""Decide whether a run may reuse the last run's memory group, and bound the memory of removed groups.

After a run, memory stays charged to its group: System V segments, tmpfs and socket buffers until the kernel has freed
them, and file pages as long as they are cached. In the same group they would count as the next run's memory. So we
remove a group with more than HARMLESS_BYTES, and the next run gets a new one, which takes 0.1 ms. A group with less is
reused: a removed group lives on in the kernel until its file pages are dropped, and one page should not cause that.
"""

import time
from collections.abc import Callable

from sandbox_runtime.jail.errors import JailError

HARMLESS_BYTES = 1 << 20
"""The largest part of a run's limit and peak that may come from the last run. Most runs leave half of it."""

_MOST_OLDER_BYTES = 256 << 20  # one run's memory, in most languages
_PAUSE_SECS = 0.001  # we poll, because a kernel thread frees the memory and reports nothing
_LONGEST_SECS = 10.0


def undroppable(stat: dict[str, int], usage_bytes: int, prefix: str = "") -> int:
    """Subtract the file pages from `usage_bytes`. `stat`: of `memory.stat`. `prefix`: of its keys."""
    return usage_bytes - sum(stat.get(f"{prefix}{key}", 0) for key in ("active_file", "inactive_file"))


def await_older_groups(held_bytes: Callable[[], int], name: str) -> None:
    """Wait until the removed groups of a slot hold little memory, before one more is removed. Raises JailError.

    So a slot holds at most the memory of two runs and `_MOST_OLDER_BYTES`, however slowly the kernel frees it.
    """
    end = time.monotonic() + _LONGEST_SECS
    while held_bytes() > _MOST_OLDER_BYTES:
        if time.monotonic() > end:
            raise JailError(
                "empty the memory groups", name, hint="memory of earlier runs is still charged; open a new slot"
            )
        time.sleep(_PAUSE_SECS)
