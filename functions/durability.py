"""Waits until everything that was read is on a disk. On AWS it always is; the stack of one machine sets a function."""

from collections.abc import Callable

_wait: Callable[[], None] | None = None


def wait() -> None:
    """Call the function, if one is set. Messages of a queue need no wait: they are flushed before they are received."""
    if _wait is not None:
        _wait()


def set_wait(function: Callable[[], None] | None) -> None:
    """Set the function of this process; None removes it."""
    global _wait  # noqa: PLW0603 - one process-wide switch is the point
    _wait = function
