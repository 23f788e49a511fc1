"""Refuse hosts with swap that the kernel does not limit by group: a guest could exceed its memory limit there."""

from pathlib import Path

from sandbox_runtime.jail.errors import JailError

_SWAPS = Path("/proc/swaps")


def refuse_unbounded_swap(name: str) -> None:
    """Raise JailError if the host has swap, or does not say. Call it for groups `name` without a swap limit."""
    try:
        areas = _SWAPS.read_text().splitlines()[1:]
    except OSError as error:
        raise JailError("look for swap", str(_SWAPS), error.errno or 0) from error
    if areas:
        hint = "the host has swap that this kernel cannot limit for a group: `swapoff -a`, or boot with swapaccount=1"
        raise JailError("limit swap", name, hint=hint)
