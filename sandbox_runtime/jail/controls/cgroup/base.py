"""Find the group below which a runner makes its groups: its own one, so that a container's limits hold for guests."""

import contextlib
import errno
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup import cpu_share
from sandbox_runtime.jail.controls.cgroup.v1 import CONTROLLERS
from sandbox_runtime.jail.errors import JailError

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
    own, used = _own_paths(), {*CONTROLLERS, cpu_share.CONTROLLER}
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
    cpu_share.hand_down_v2(found)
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
