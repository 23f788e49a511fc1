"""The interface of the cgroup back ends, and what both versions share: removal, leftovers, swap and CPU shares."""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import Limits

_MOST_ID_BYTES = 1 << 18  # 30,000 threads


@dataclass(frozen=True, slots=True)
class Counters:
    """Absolute counters of a slot's groups. The usage of a run is the difference of two readings.

    The memory peak belongs to the run, except for a small remainder of the run before, see `HARMLESS_BYTES`.
    `limit_hits` grows in a run that is killed at the group's own limit. A kill by the limit of a group around it, or
    because the whole host is out of memory, counts in `oom_kills` only.
    """

    memory_now_bytes: int
    memory_peak_bytes: int
    oom_kills: int
    limit_hits: int
    cpu_usage_usec: int
    process_count: int
    fork_refusals: int


def flat_keyed(text: bytes) -> dict[str, int]:
    """Parse the lines `key value` of a cgroup file."""
    pairs = (line.split() for line in text.decode().splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}  # noqa: PLR2004 - a pair


def read_members(processes: Path, threads: Path) -> tuple[list[int], list[int]]:
    """Read the ids in `cgroup.procs` and in `tasks` or `cgroup.threads`. Raises JailError.

    We open the files each time: with version 1 an open file shows its old content for up to a second.
    """
    try:
        return _ids(processes), _ids(threads)
    except OSError as error:
        raise JailError("list the run's processes", str(error.filename or ""), error.errno or 0) from error


def _ids(path: Path) -> list[int]:
    """Read the ids. Members of an outer pid namespace are listed as 0."""
    with path.open("rb") as file:
        return [int(word) for word in file.read(_MOST_ID_BYTES).split()]


def refaulted_pages(stat: dict[str, int]) -> int:
    """Return the counter of `memory.stat`. Before Linux 5.9 one counter covers files and heap."""
    return stat.get("workingset_refault_file", stat.get("workingset_refault", 0))


class SlotGroups(Protocol):
    """Groups of one slot, reused by all of its runs. Every method raises JailError.

    Two memberships: init enters the process group only, so that an out-of-memory kill never hits it;
    the program enters the memory and CPU groups too.
    """

    backend: str
    shares_cpu: bool  # the slot has its share of the CPUs

    @property
    def init_entry_fds(self) -> tuple[int, ...]:
        """Writing b"0" to each moves the writer into the process group. Valid until the next `prepare`."""

    @property
    def program_entry_fds(self) -> tuple[int, ...]:
        """Writing b"0" to each moves the writer into the memory and CPU groups. Valid until the next `prepare`."""

    @property
    def oom_event(self) -> tuple[int, int] | None:
        """(descriptor, poll mask): an event when the memory group ran out of memory. Valid until `prepare`."""

    def acknowledge_oom_event(self) -> None:
        """Take the event, so that poll waits for the next one."""

    @property
    def membership_marker(self) -> str:
        """How the path in a member's /proc/self/cgroup ends. Fixed for the slot's life."""

    def prepare(self, limits: Limits) -> Counters:
        """Set the limits of the next run, reset the peak and read the counters that it starts from."""

    def bound_sockets(self, most_bytes: int) -> None:
        """Bound the memory of sockets, for a run with network: after `prepare`."""

    def prefer(self) -> None:
        """Let this slot have the CPUs before all others: for a process of ours that programs wait for."""

    def read(self) -> Counters:
        """The counters now."""

    def cpu_usage_usec(self) -> int:
        """CPU time of the group now, a cheap read."""

    def process_count(self) -> int:
        """Number of processes of the run now, with init; a cheap read."""

    def members(self) -> tuple[list[int], list[int]]:
        """Ids of the processes in the process group, and of their threads, as /proc names them."""

    def memory_pressure(self) -> tuple[int, int]:
        """(file pages read again after eviction, resident bytes that cannot be dropped: heap and shared memory)."""

    def close(self) -> None:
        """Remove the groups. They must be empty."""


class CommonGroups:
    """Methods of `SlotGroups` that both versions share."""

    _name: str
    _pids_now: int  # `pids.current` of the process group

    def bound_sockets(self, most_bytes: int) -> None:
        """Do nothing: version 2 counts the memory of sockets as the guest's."""

    def process_count(self) -> int:
        try:
            return int(os.pread(self._pids_now, 32, 0))
        except (OSError, ValueError) as error:
            raise JailError("read cgroup counters", self._name, getattr(error, "errno", 0) or 0) from error


# We refuse hosts with swap that the kernel does not limit by group: a guest could exceed its memory limit there.
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


# A dying process leaves its group late, on a busy host even after its parent has reaped it. Nothing reports this, so we
# retry.
_LONGEST_REMOVAL_SECS = 5.0
_REMOVAL_PAUSE_SECS = 0.005


def remove_groups(directories: Iterable[Path]) -> None:
    """Remove the groups in this order. Raises JailError for the last one that stays, because a process does not die."""
    kept: OSError | None = None
    end = time.monotonic() + _LONGEST_REMOVAL_SECS
    for directory in directories:
        try:
            _remove(directory, end)
        except OSError as error:
            kept = error
    if kept is not None:
        raise JailError("remove cgroup", str(kept.filename or ""), kept.errno or 0) from kept


def _remove(directory: Path, end: float) -> None:
    while True:
        try:
            with contextlib.suppress(FileNotFoundError):
                directory.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() >= end:
                raise
            time.sleep(_REMOVAL_PAUSE_SECS)
        else:
            return


# After a run, memory stays charged to its group: System V segments, tmpfs and socket buffers until the kernel has
# freed them, and file pages as long as they are cached. In the same group they would count as the next run's memory.
# So we remove a group with more than HARMLESS_BYTES, and the next run gets a new one, which takes 0.1 ms. A group with
# less is reused: a removed group lives on in the kernel until its file pages are dropped, and one page should not
# cause that.
HARMLESS_BYTES = 1 << 20
"""The largest part of a run's limit and peak that may come from the last run. Most runs leave half of it."""

_MOST_OLDER_BYTES = 256 << 20  # one run's memory, in most languages
_EMPTYING_PAUSE_SECS = 0.001  # we poll, because a kernel thread frees the memory and reports nothing
_LONGEST_EMPTYING_SECS = 10.0


def undroppable(stat: dict[str, int], usage_bytes: int, prefix: str = "") -> int:
    """Subtract the file pages from `usage_bytes`. `stat`: of `memory.stat`. `prefix`: of its keys."""
    return usage_bytes - sum(stat.get(f"{prefix}{key}", 0) for key in ("active_file", "inactive_file"))


def await_older_groups(held_bytes: Callable[[], int], name: str) -> None:
    """Wait until the removed groups of a slot hold little memory, before one more is removed. Raises JailError.

    So a slot holds at most the memory of two runs and `_MOST_OLDER_BYTES`, however slowly the kernel frees it.
    """
    end = time.monotonic() + _LONGEST_EMPTYING_SECS
    while held_bytes() > _MOST_OLDER_BYTES:
        if time.monotonic() > end:
            raise JailError(
                "empty the memory groups", name, hint="memory of earlier runs is still charged; open a new slot"
            )
        time.sleep(_EMPTYING_PAUSE_SECS)


# A runner's slots have equal shares of the CPUs, however many processes and sessions each has.
# All slots are in one directory, whose weight is below the kernel's default. The runner, its supervisors and its
# templates stay outside with the default weight, so programs never take the CPUs from them. This needs the `cpu`
# controller. Without it programs run without shares, and the evidence says so.
CPU_CONTROLLER = "cpu"
# Half of the default weight of a process, session or sibling group: 1024 and 100.
_PROGRAMS_SHARES, _PROGRAMS_WEIGHT = 512, 50
_MOST_SHARES, _MOST_WEIGHT = 262_144, 10_000


def make_cpu_share_v1(base: Path | None, name: str) -> Path | None:
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


def hand_down_cpu_v2(directory: Path) -> None:
    """Hand the controller down to the groups in `directory`, if that is possible."""
    with contextlib.suppress(OSError):  # not delegated, or real-time processes forbid it
        (directory / "cgroup.subtree_control").write_text("+cpu")


def make_cpu_share_v2(slot: Path) -> bool:
    """Set the weights of the slot's group and of its parent. False without the controller."""
    try:
        hand_down_cpu_v2(slot.parent)
        (slot.parent / "cpu.weight").write_text(str(_PROGRAMS_WEIGHT))
    except OSError:
        return False
    return (slot / "cpu.weight").exists()


def prefer_slot_v1(slot: Path) -> None:
    """Let the slot's group have the CPUs before all other slots. Raises OSError."""
    (slot / "cpu.shares").write_text(str(_MOST_SHARES))


def prefer_slot_v2(slot: Path) -> None:
    """Let the slot's group have the CPUs before all other slots. Raises OSError."""
    (slot / "cpu.weight").write_text(str(_MOST_WEIGHT))
