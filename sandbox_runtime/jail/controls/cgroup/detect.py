"""Choose the cgroup version and the base groups of this host, name a runner's groups, and remove those of dead runners.

Groups are `rustbox-<pid namespace>-<pid>-<start time>/<slot>`. The name shows whether the runner is alive. A pid is
valid only in its own pid namespace, so we leave groups of runners in other containers alone.
"""

import contextlib
import errno
import os
import signal
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup.interface import CPU_CONTROLLER, SlotGroups, hand_down_cpu_v2, remove_groups
from sandbox_runtime.jail.controls.cgroup.v1 import CONTROLLERS, GroupsV1
from sandbox_runtime.jail.controls.cgroup.v2 import GroupsV2
from sandbox_runtime.jail.errors import JailError

# A runner makes its groups below its own one, so that a container's limits hold for guests.
_NEEDED_V2 = frozenset({"memory", "pids"})
_LEAF = "rustbox-supervisor"


def _mounts(kind: str) -> list[tuple[Path, set[str]]]:
    """Return (mount point, mount options) of all mounts of a file system type, proc_pid_mountinfo(5)."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        mounted, _, options = right.split(" ", 2)
        if mounted == kind:
            found.append((Path(left.split()[4]), set(options.split(","))))
    return found


def _own_paths() -> dict[str, str]:
    """Return the runner's own group by controller. The v2 tree has the controller ""."""
    lines = (line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines())
    return {name: path.lstrip("/") for _, names, path in lines for name in names.split(",")}


def bases_v1() -> dict[str, Path]:
    """Return the runner's own group of each v1 controller that we use and the host has. Two may share a mount.

    A controller may be mounted again in the root of another system, where our group cannot be reached.
    """
    own, used = _own_paths(), {*CONTROLLERS, CPU_CONTROLLER}
    found: dict[str, Path] = {}
    for point, options in _mounts("cgroup"):
        for name in options & used & own.keys():
            if name not in found or not found[name].is_dir():
                found[name] = point / own[name]
    return found


def mount_v2() -> Path | None:
    """Return the v2 tree if it has our controllers. Beside v1 it is mounted without them."""
    for point, _ in _mounts("cgroup2"):
        controllers = point / "cgroup.controllers"
        if controllers.exists() and set(controllers.read_text().split()) >= _NEEDED_V2:
            return point
    return None


def _hands_down(directory: Path) -> bool:
    return set((directory / "cgroup.subtree_control").read_text().split()) >= _NEEDED_V2


def _move_processes_to_leaf(directory: Path) -> None:
    """Move the processes of a group into a child: a group with processes may not hand controllers down."""
    leaf = directory / _LEAF
    leaf.mkdir(exist_ok=True)
    for pid in (directory / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            (leaf / "cgroup.procs").write_text(pid)


def base_v2() -> Path:
    """Return the nearest ancestor that hands down memory and pids, else the top of the visible tree. Raises JailError.

    It also hands down cpu if that is possible.
    """
    found = _base_v2()
    hand_down_cpu_v2(found)
    return found


def _base_v2() -> Path:
    top = mount_v2()
    if top is None:
        raise JailError("find cgroups", hint="no cgroup2 mount with the memory and pids controllers")
    own = top / _own_paths().get("", "")
    for directory in (own, *own.parents):
        if directory.is_relative_to(top) and directory.is_dir() and _hands_down(directory):
            return directory
    control = top / "cgroup.subtree_control"
    try:
        try:
            control.write_text("+memory +pids")
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            # This is the top of a container's own tree: all processes in it belong to the container.
            _move_processes_to_leaf(top)
            control.write_text("+memory +pids")
    except OSError as error:
        raise JailError("enable controllers", str(control), error.errno or 0, "mount cgroup2 writable") from error
    return top


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
