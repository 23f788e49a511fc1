"""Named places where a test may crash the process; in production `reach` does nothing."""

from collections.abc import Callable

_hook: Callable[[str], None] | None = None


def reach(name: str) -> None:
    """Call the hook, if one is set, with `name`, such as "complete.after_write"."""
    if _hook is not None:
        _hook(name)


def set_hook(hook: Callable[[str], None] | None) -> None:
    """Set the hook of a test; None removes it."""
    global _hook  # noqa: PLW0603 - one process-wide switch is the point
    _hook = hook
