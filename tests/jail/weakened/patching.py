"""Replace functions and constants of the jail by name, inside a template process.

A name that is gone is an AttributeError, which ends the template: a change that no longer takes effect cannot pass for
one that does.
"""

import functools
from collections.abc import Callable
from typing import Any

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.inside import template

Settings = dict[str, Any]
MountCall = tuple[str, str, str | None, int, str]


def wrap(owner: object, name: str, make: Callable[[Any], Any]) -> None:
    """Put `make(what is there)` in its place."""
    setattr(owner, name, make(getattr(owner, name)))


def after(owner: object, name: str, action: Callable[[], object]) -> None:
    """Do something right after a function of the jail."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(*arguments: Any, **options: Any) -> Any:
            result = original(*arguments, **options)
            action()
            return result

        return call

    wrap(owner, name, make)


def edit_mounts(edit: Callable[[MountCall], MountCall | None]) -> None:
    """See every mount call (source, target, kind, flags, data); None leaves it out."""

    def make(original: Callable[..., None]) -> Callable[..., None]:
        def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
            edited = edit((source, target, kind, flags, data))
            if edited is not None:
                original(*edited)

        return mount

    wrap(syscalls, "mount", make)


def share_namespace(flag: int) -> None:
    """Runs stay in the namespace of their template."""
    template._PREPARED &= ~flag
    template._ALL &= ~flag
