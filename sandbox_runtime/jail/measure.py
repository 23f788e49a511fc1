"""Read what is in force on this very process: called by the guest's process, right before it becomes the guest.

Nothing that is read here can be undone by exec or by the guest. `evidence` judges it.
"""

import os
from dataclasses import dataclass

from sandbox_runtime.jail import rlimits
from sandbox_runtime.jail.spec import Limits

NAMESPACES = ("pid", "mnt", "net", "ipc", "uts", "cgroup")
_FILTERS_KEY = "Seccomp_filters"  # since Linux 5.9
_STATUS_KEYS = (
    *("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"),
    _FILTERS_KEY,
)
_READ_BYTES = 1 << 12


@dataclass(frozen=True, slots=True)
class Mounted:
    """One line of proc_pid_mountinfo(5). `options`: of the mount and of its file system, each between commas.

    Text, not a set: this is made in a process where every page written to is copied first.
    """

    point: str
    kind: str
    options: str

    def has(self, option: str) -> bool:
        """Whether it is one of the options."""
        return f",{option}," in self.options


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was read.

    `namespaces`, `user_namespace`: as /proc names them. `status`: words by key of proc_pid_status(5). `groups`: text of
    proc_pid_cgroup(5) from before the cgroup namespace hid it. `mounts`: in the order of mounting.
    """

    namespaces: dict[str, str]
    user_namespace: str
    status: dict[str, list[str]]
    groups: str
    mounts: tuple[Mounted, ...]
    rlimits_in_force: bool


def read_text(path: str) -> str:
    """A file of /proc, without the cost of a text stream. The kernel gives one page at a time."""
    parts = []
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while part := os.read(fd, _READ_BYTES):
            parts.append(part)
    finally:
        os.close(fd)
    return b"".join(parts).decode(errors="surrogateescape")


def own_namespaces() -> dict[str, str]:
    """Own namespaces of the caller, by name; `user` among them."""
    return {name: os.readlink(f"/proc/self/ns/{name}") for name in (*NAMESPACES, "user")}


def own_filters() -> int | None:
    """How many system-call filters the caller has; None where the kernel does not say."""
    status = read_text("/proc/self/status")
    return int(_words_of(status, _FILTERS_KEY)[0]) if f"\n{_FILTERS_KEY}:" in status else None


def _mounted(line: str) -> Mounted:
    left, _, right = line.partition(" - ")
    mount_words, (kind, _, super_options) = left.split(" ", 6), right.split(" ", 2)
    return Mounted(mount_words[4], kind, f",{mount_words[5]},{super_options},")


def _words_of(status: str, key: str) -> list[str]:
    """Of one line. The first line holds the program's name, in which the kernel escapes line ends."""
    begin = status.index(f"\n{key}:") + len(key) + 2
    return status[begin : status.index("\n", begin)].split()


def measure(limits: Limits, groups: str) -> Measured:
    """Measure the calling process. `groups`: its /proc/self/cgroup, read before the cgroup namespace was made."""
    status = read_text("/proc/self/status")
    return Measured(
        namespaces={name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES},
        user_namespace=os.readlink("/proc/self/ns/user"),
        status={key: _words_of(status, key) for key in _STATUS_KEYS if f"\n{key}:" in status},
        groups=groups,
        mounts=tuple(_mounted(line) for line in read_text("/proc/self/mountinfo").splitlines()),
        rlimits_in_force=rlimits.in_force(limits),
    )
