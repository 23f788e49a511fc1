"""Give a runner's slots equal shares of the CPUs, however many processes and sessions each has.

All slots are in one directory, whose weight is below the kernel's default. The runner, its supervisors and its
templates stay outside with the default weight, so programs never take the CPUs from them. This needs the `cpu`
controller. Without it programs run without shares, and the evidence says so.
"""

import contextlib
from pathlib import Path

CONTROLLER = "cpu"
# Half of the default weight of a process, session or sibling group: 1024 and 100.
_PROGRAMS_SHARES, _PROGRAMS_WEIGHT = 512, 50
_MOST_SHARES, _MOST_WEIGHT = 262_144, 10_000


def make_share_v1(base: Path | None, name: str) -> Path | None:
    """Make the slot's group `<base>/<name>` in the `cpu` hierarchy. None: it cannot be made."""
    if base is None:
        return None
    directory = base / name
    try:
        directory.parent.mkdir(exist_ok=True)
        (directory.parent / "cpu.shares").write_text(str(_PROGRAMS_SHARES))
        directory.mkdir(exist_ok=True)
    except OSError:
        return None
    return directory


def hand_down_v2(directory: Path) -> None:
    """Hand the controller down to the groups in `directory`, if that is possible."""
    with contextlib.suppress(OSError):  # not delegated, or real-time processes forbid it
        (directory / "cgroup.subtree_control").write_text("+cpu")


def make_share_v2(slot: Path) -> bool:
    """Set the weights of the slot's group and of its parent. False without the controller."""
    try:
        hand_down_v2(slot.parent)
        (slot.parent / "cpu.weight").write_text(str(_PROGRAMS_WEIGHT))
    except OSError:
        return False
    return (slot / "cpu.weight").exists()


def prefer_v1(slot: Path) -> None:
    """Let the slot's group have the CPUs before all other slots. Raises OSError."""
    (slot / "cpu.shares").write_text(str(_MOST_SHARES))


def prefer_v2(slot: Path) -> None:
    """Let the slot's group have the CPUs before all other slots. Raises OSError."""
    (slot / "cpu.weight").write_text(str(_MOST_WEIGHT))
