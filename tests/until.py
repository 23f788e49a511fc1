"""Wait for what another thread or process brings about."""

import time
from collections.abc import Callable

# Below the time limit of a test, so that the failure names its condition.
PATIENCE_SECS = 100.0


def until[Found](
    condition: Callable[[], Found],
    problem: Callable[[], object] = lambda: "it never happened",
    patience_secs: float = PATIENCE_SECS,
) -> Found:
    """Return what the condition returns, as soon as it is true. Fail with `problem` after `patience_secs`."""
    end = time.monotonic() + patience_secs
    while not (found := condition()):
        assert time.monotonic() < end, problem()
        time.sleep(0.005)
    return found
