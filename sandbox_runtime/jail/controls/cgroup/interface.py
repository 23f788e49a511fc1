"""The interface of the cgroup back ends."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import Limits

_MOST_ID_BYTES = 1 << 18  # 30,000 threads


@dataclass(frozen=True, slots=True)
class Counters:
    """Absolute counters of a slot's groups. The usage of a run is the difference of two readings.

    The memory peak belongs to the run, except for a small remainder of the run before, see `leftovers.HARMLESS_BYTES`.
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
        """Return the number of processes in the process group."""
        try:
            return int(os.pread(self._pids_now, 32, 0))
        except (OSError, ValueError) as error:
            raise JailError("read cgroup counters", self._name, getattr(error, "errno", 0) or 0) from error
