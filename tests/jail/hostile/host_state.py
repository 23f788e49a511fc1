"""Counts leftovers of this process's runs on the host. Leftovers of other runners do not count."""

import os
from pathlib import Path

from sandbox_runtime.jail import Slot
from sandbox_runtime.jail.controls.cgroup.detect import _bases, _runner_directory

_SHARED_PLACES = [path for path in map(Path, ("/", "/tmp", "/dev/shm", "/var/tmp")) if path.is_dir()]
_OUR_MOUNTS = ("rustbox-root", " /box ")


def _owner(path: Path) -> int:
    try:
        return path.lstat().st_uid
    except OSError:
        return -1


def host_state(slot: Slot) -> dict[str, object]:
    """Must be the same before and after a run."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    groups = [path for base in _bases() for path in (base / _runner_directory()).glob("*/**/")]
    return {
        "guest processes": [path.name for path in Path("/proc").glob("[0-9]*") if _owner(path) == slot.uid],
        "children": Path(f"/proc/self/task/{os.getpid()}/children").read_text(),
        "mounts": [line for line in mounts if any(mark in line for mark in _OUR_MOUNTS)],
        "descriptors": sorted(path.name for path in Path("/proc/self/fd").iterdir()),
        "groups": sorted(map(str, groups)),
        "members of groups": [
            (path / "cgroup.procs").read_text() for path in groups if (path / "cgroup.procs").exists()
        ],
        "files": [str(path) for place in _SHARED_PLACES for path in place.iterdir() if _owner(path) == slot.uid],
        "host name": os.uname().nodename,
        "System V objects": [
            line
            for kind in ("shm", "sem", "msg")
            for line in Path(f"/proc/sysvipc/{kind}").read_text().splitlines()
            if str(slot.uid) in line.split()
        ],
    }
