"""Read environment variables as values of a type. Errors name a variable, never its value."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NewType

if TYPE_CHECKING:
    from collections.abc import Callable

Network = NewType("Network", str)
"""An IPv4 or IPv6 network, such as 192.0.2.7/32. The variable may also name single addresses."""


class SettingsInvalidError(Exception):
    """An environment variable is missing or wrong. The text names the variable, never its value."""


def read_variable(name: str, kind: Any) -> Any:
    """Return the value of a variable. Raises SettingsInvalidError."""
    text = os.environ.get(name)
    if text is None:
        raise SettingsInvalidError(f"{name} is not set: set it as template.yaml does")
    if kind not in _READERS:
        return text
    expected, read = _READERS[kind]
    try:
        return read(text)
    except (KeyError, ValueError):
        raise SettingsInvalidError(f"{name} must be {expected}") from None


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _networks(text: str) -> tuple[Network, ...]:
    from ipaddress import ip_network  # noqa: PLC0415 - one function needs it

    return tuple(Network(str(ip_network(part))) for part in _parts(text))


_READERS: dict[Any, tuple[str, Callable[[str], Any]]] = {
    bool: ("true or false", {"true": True, "false": False}.__getitem__),
    int: ("a whole number", int),
    tuple[str, ...]: ("names with commas between them", _parts),
    tuple[int, ...]: (
        "whole numbers with commas between them",
        lambda text: tuple(int(part) for part in text.split(",")),
    ),
    tuple[Network, ...]: ("addresses or networks with commas between them", _networks),
}
"""By type: the words for an expected value, and the function that reads it. No function shows the value."""
