"""Choose the cgroup version of this host, name a runner's groups, and remove those of dead runners.

Groups are `rustbox-<pid namespace>-<pid>-<start time>/<slot>`. The name shows whether the runner is alive. A pid is
valid only in its own pid namespace, so we leave groups of runners in other containers alone.
"""

import contextlib
import os
import signal
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup.base import base_v2, bases_v1, mount_v2
from sandbox_runtime.jail.controls.cgroup.interface import SlotGroups
from sandbox_runtime.jail.controls.cgroup.removal import remove_groups
from sandbox_runtime.jail.controls.cgroup.v1 import CONTROLLERS, GroupsV1
from sandbox_runtime.jail.controls.cgroup.v2 import GroupsV2
from sandbox_runtime.jail.errors import JailError

_PREFIX = "rustbox-"
# Fields 3 and 22 of /proc/<pid>/stat, proc_pid_stat(5), counted behind the command name.
_STATE_FIELD, _START_TIME_FIELD = 0, 19
_DEAD_STATES = {"Z", "X"}


def _start_time(pid: int) -> str | None:
    """Return the start time of a living process. A dead one that nobody has reaped is still listed."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[_STATE_FIELD] in _DEAD_STATES else fields[_START_TIME_FIELD]


def _runner_directory() -> str:
    return f"{_PREFIX}{_pid_namespace()}-{os.getpid()}-{_start_time(os.getpid())}"


def _pid_namespace() -> int:
    return os.stat("/proc/self/ns/pid").st_ino


def cgroup_backend() -> str | None:
    """Return `cgroup_v1`, `cgroup_v2`, or None if neither has the controllers."""
    if set(bases_v1()) >= set(CONTROLLERS):
        return "cgroup_v1"
    return "cgroup_v2" if mount_v2() is not None else None


def _bases() -> list[Path]:
    backend = cgroup_backend()
    if backend == "cgroup_v1":
        return list(dict.fromkeys(bases_v1().values()))
    return [base_v2()] if backend == "cgroup_v2" else []


def open_groups(name: str) -> SlotGroups:
    """Make the groups of one slot. Raises JailError."""
    try:
        backend = cgroup_backend()
        path = f"{_runner_directory()}/{name}"
        if backend == "cgroup_v1":
            return GroupsV1(bases_v1(), path)
        if backend == "cgroup_v2":
            return GroupsV2(base_v2(), path)
    except OSError as error:
        raise JailError("find cgroups", str(error.filename or ""), error.errno or 0) from error
    raise JailError("find cgroups", hint="mount cgroup2, or the v1 controllers memory, pids and cpuacct")


def close_groups(groups: SlotGroups) -> None:
    """Remove a slot's groups, and the runner's directory after its last slot."""
    groups.close()
    for base in _bases():
        with contextlib.suppress(OSError):
            (base / _runner_directory()).rmdir()


def _owner_is_dead(directory: Path) -> bool:
    namespace, _, owner = directory.name.removeprefix(_PREFIX).partition("-")
    pid, _, start = owner.partition("-")
    return namespace == str(_pid_namespace()) and pid.isdigit() and _start_time(int(pid)) != start


def _kill_members(group: Path) -> None:
    """Kill the members. One of another pid namespace is listed as 0, which kill(2) takes for our own process group."""
    for pid in map(int, (group / "cgroup.procs").read_text().split()):
        if pid > 0:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def remove_stale_groups() -> int:
    """Remove the groups of runners that died without cleaning up, and kill their remaining processes.

    Returns the number of removed groups. A group whose members do not die is removed by a later call.
    """
    dead = [runner for base in _bases() for runner in base.glob(f"{_PREFIX}*") if _owner_is_dead(runner)]
    # Deepest first: a group can be removed only when it has no children.
    groups = [group for runner in dead for group in (*_groups_below(runner), runner)]
    for group in groups:
        with contextlib.suppress(OSError):
            _kill_members(group)
    with contextlib.suppress(JailError):
        remove_groups(groups)
    return sum(not group.exists() for group in groups)


def _groups_below(directory: Path) -> list[Path]:
    return sorted((path for path in directory.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
