"""Wait for what another thread or process brings about."""

import time
from collections.abc import Callable

PATIENCE_SECS = 60.0


def until(condition: Callable[[], object]) -> None:
    """Return as soon as it holds; fail when it does not for PATIENCE_SECS."""
    end = time.monotonic() + PATIENCE_SECS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
