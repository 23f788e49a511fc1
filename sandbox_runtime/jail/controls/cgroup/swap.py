"""Where the kernel counts no swap for a group, a guest could have more than its memory limit, in swap."""

from pathlib import Path

from sandbox_runtime.jail.errors import JailError

_SWAPS = Path("/proc/swaps")


def refuse_unbounded_swap(name: str) -> None:
    """For groups `name` without a swap limit. Raises JailError when the host has swap, or does not tell."""
    try:
        areas = _SWAPS.read_text().splitlines()[1:]
    except OSError as error:
        raise JailError("look for swap", str(_SWAPS), error.errno or 0) from error
    if areas:
        hint = "the host has swap that this kernel cannot limit for a group: `swapoff -a`, or boot with swapaccount=1"
        raise JailError("limit swap", name, hint=hint)
