"""Find the cgroup version of this host, and where a runner may make its groups.

Groups live under the runner's own group, in `rustbox-<pid>-<start time>`: the limits of a container around
the runner hold for its guests too, and a dead runner's groups can be told from a live one's.
"""

import contextlib
import os
import signal
from pathlib import Path

from sandbox_runtime.jail.cgroup.interface import SlotGroups
from sandbox_runtime.jail.cgroup.v1 import CONTROLLERS, GroupsV1
from sandbox_runtime.jail.errors import JailError

_PREFIX = "rustbox-"
_START_TIME_FIELD = 19  # field 22 of /proc/<pid>/stat, proc_pid_stat(5), counted behind the command name


def _start_time(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[_START_TIME_FIELD]


def _mounts_v1() -> dict[str, Path]:
    """Mount point of each v1 controller that we need."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind != "cgroup":
            continue
        for option in options.split(","):
            if option in CONTROLLERS:
                found[option] = Path(left.split()[4])
    return found


def _own_bases() -> dict[str, Path]:
    mounts = _mounts_v1()
    bases = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for controller in set(names.split(",")) & set(CONTROLLERS) & set(mounts):
            bases[controller] = mounts[controller] / path.lstrip("/")
    return bases


def cgroup_backend() -> str | None:
    """`cgroup_v1`, `cgroup_v2`, or None when neither has the controllers."""
    if set(_mounts_v1()) == set(CONTROLLERS):
        return "cgroup_v1"
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return "cgroup_v2"
    return None


def open_groups(name: str) -> SlotGroups:
    """Make the groups of one slot. Raises JailError."""
    if cgroup_backend() == "cgroup_v1":
        runner = f"{_PREFIX}{os.getpid()}-{_start_time(os.getpid())}"
        return GroupsV1(_own_bases(), f"{runner}/{name}")
    raise JailError("find cgroups", hint="this host gives no cgroup v1 memory, pids and cpuacct controllers")


def _owner_is_alive(directory: Path) -> bool:
    pid, _, start = directory.name.removeprefix(_PREFIX).partition("-")
    return pid.isdigit() and _start_time(int(pid)) == start


def _kill_members(group: Path) -> None:
    for line in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line), signal.SIGKILL)


def remove_stale_groups() -> int:
    """Remove the groups of runners that died without cleaning up, and kill what still runs in them.

    Returns how many groups were removed. Members that die slowly leave their group to the next call.
    """
    removed = 0
    for base in _own_bases().values():
        for directory in base.glob(f"{_PREFIX}*"):
            if _owner_is_alive(directory):
                continue
            for group in [*directory.iterdir(), directory]:
                if group.is_dir():
                    _kill_members(group)
                    with contextlib.suppress(OSError):
                        group.rmdir()
                        removed += 1
    return removed


def remove_own_directory() -> None:
    """Remove this runner's empty directory, after its last slot was closed."""
    runner = f"{_PREFIX}{os.getpid()}-{_start_time(os.getpid())}"
    for base in _own_bases().values():
        with contextlib.suppress(OSError):
            (base / runner).rmdir()
