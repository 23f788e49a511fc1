"""Wait for memory of the run before. The kernel frees System V segments and socket buffers after their namespaces' end.

Until then they are charged to the slot: a lower limit cannot be set, and the next run, somebody else's, lacks the room,
or is told of a peak that was not its own.
"""

import time
from collections.abc import Callable

from sandbox_runtime.jail.errors import JailError

_UNSUSPICIOUS_SHARE = 16  # of the limit; most groups hold less than a megabyte, and then one look is enough
_UNSUSPICIOUS_BYTES = 4 << 20
_HARMLESS_BYTES = 1 << 20  # counters are charged in batches and never quite exact
_PAUSE_SECS = 0.001  # nothing can be waited on: the work is a kernel thread's
_LONGEST_SECS = 10.0


def await_free_memory(
    charged_bytes: Callable[[], int], resident_bytes: Callable[[], int], limit_bytes: int, name: str
) -> None:
    """Return when an empty group holds next to nothing. Raises JailError when it does not become free.

    `charged_bytes` is the cheap look, `resident_bytes` (heap and shared memory) the exact one.
    """
    if charged_bytes() <= min(limit_bytes // _UNSUSPICIOUS_SHARE, _UNSUSPICIOUS_BYTES):
        return
    end = time.monotonic() + _LONGEST_SECS
    while resident_bytes() > _HARMLESS_BYTES:  # else it is file pages, which make room for others
        if time.monotonic() > end:
            raise JailError("empty the memory group", name, hint="the run before has not left it")
        time.sleep(_PAUSE_SECS)
