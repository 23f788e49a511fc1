"""Wait for what another thread or process brings about."""

import time
from collections.abc import Callable

# Below the time limit of a test, so that the failure names its condition.
PATIENCE_SECS = 100.0
# Many conditions look through /proc, or ask a server.
_SHORTEST_PAUSE_SECS, _LONGEST_PAUSE_SECS = 0.005, 0.1


def until[Found](
    condition: Callable[[], Found],
    problem: Callable[[], object] = lambda: "it never happened",
    patience_secs: float = PATIENCE_SECS,
) -> Found:
    """Return what the condition returns, as soon as it is true. Fail with `problem` after `patience_secs`."""
    end, pause_secs = time.monotonic() + patience_secs, _SHORTEST_PAUSE_SECS
    while not (found := condition()):
        assert time.monotonic() < end, problem()
        time.sleep(pause_secs)
        pause_secs = min(pause_secs * 1.2, _LONGEST_PAUSE_SECS)
    return found
