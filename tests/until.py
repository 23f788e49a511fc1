"""Wait for what another thread or process brings about."""

import time
from collections.abc import Callable

PATIENCE_SECS = 60.0


def until[Found](condition: Callable[[], Found], problem: Callable[[], object] = lambda: "it never happened") -> Found:
    """Return what the condition returns, as soon as it is true. Fail with `problem` after PATIENCE_SECS."""
    end = time.monotonic() + PATIENCE_SECS
    while not (found := condition()):
        assert time.monotonic() < end, problem()
        time.sleep(0.005)
    return found
