"""Measure the controls of the calling process: the guest's own, right before exec.

Neither exec nor the guest can undo a control that was measured here. `in_force` decides by the measurements.
"""

import os
import re
from dataclasses import dataclass
from typing import NamedTuple

from sandbox_runtime.jail.controls import rlimits
from sandbox_runtime.jail.spec import Limits

NAMESPACES = ("pid", "mnt", "net", "ipc", "uts", "cgroup")
_FILTERS_KEY = "Seccomp_filters"  # since Linux 5.9
STATUS_KEYS = (
    *("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"),
    _FILTERS_KEY,
)
_READ_BYTES = 1 << 12
_NAMESPACE_FILES = tuple((name, f"/proc/self/ns/{name}") for name in (*NAMESPACES, "user"))
# proc_pid_mountinfo(5): ids, device, root, point, options, tags; then the file system's kind, source and options.
_MOUNT_LINE = re.compile(r"^\d+ \d+ \S+ \S+ (\S+) (\S+) (?:\S+ )*?- (\S+) (\S*) (\S+)$", re.MULTILINE | re.ASCII)


class Mounted(NamedTuple):
    """One line of proc_pid_mountinfo(5). `options`: of the mount and of its file system, each between commas."""

    point: str
    kind: str
    options: str
    source: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements of one process.

    `namespaces`, `user_namespace`: as /proc names them. `status`: words by key of proc_pid_status(5). `groups`: text of
    proc_pid_cgroup(5) from before the cgroup namespace hid it. `mounts`: in the order of mounting. `executable_device`:
    of the file system from which this process was started.
    """

    namespaces: dict[str, str]
    user_namespace: str
    status: dict[str, list[str]]
    groups: str
    mounts: tuple[Mounted, ...]
    rlimits_in_force: bool
    executable_device: int


def read_text(path: str) -> str:
    """Read a file of /proc without the cost of a text stream. The kernel gives at most one page a call."""
    parts = []
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while part := os.read(fd, _READ_BYTES):
            parts.append(part)
    finally:
        os.close(fd)
    return b"".join(parts).decode(errors="surrogateescape")


def own_namespaces() -> dict[str, str]:
    """Return the caller's namespaces by name, including `user`."""
    return {name: os.readlink(path) for name, path in _NAMESPACE_FILES}


def own_filters() -> int | None:
    """Count the caller's system-call filters. None: the kernel does not say."""
    status = read_text("/proc/self/status")
    return int(_words_of(status, _FILTERS_KEY)[0]) if f"\n{_FILTERS_KEY}:" in status else None


def mount_table(text: str) -> tuple[Mounted, ...]:
    """Parse the whole text of mountinfo. Raises ValueError for a line of another form."""
    rows = _MOUNT_LINE.findall(text)
    if len(rows) != text.count("\n"):
        raise ValueError("mountinfo")
    return tuple([Mounted(point, kind, f",{own},{shared},", source) for point, own, kind, source, shared in rows])


def _words_of(status: str, key: str) -> list[str]:
    """Return the words of one line. The kernel escapes line ends in the program's name, which is in the first line."""
    begin = status.index(f"\n{key}:") + len(key) + 2
    return status[begin : status.index("\n", begin)].split()


def status_words(status: str) -> dict[str, list[str]]:
    """Return the words of proc_pid_status(5), by STATUS_KEYS."""
    return {key: _words_of(status, key) for key in STATUS_KEYS if f"\n{key}:" in status}


def measure(limits: Limits, groups: str) -> Measured:
    """Measure the calling process. `groups`: its /proc/self/cgroup, read before the cgroup namespace was made.

    Raises ValueError for a file that does not have the form of its manual page.
    """
    status, namespaces = read_text("/proc/self/status"), own_namespaces()
    user_namespace = namespaces.pop("user")
    return Measured(
        namespaces=namespaces,
        user_namespace=user_namespace,
        status=status_words(status),
        groups=groups,
        mounts=mount_table(read_text("/proc/self/mountinfo")),
        rlimits_in_force=rlimits.in_force(limits),
        executable_device=os.stat("/proc/self/exe").st_dev,
    )
