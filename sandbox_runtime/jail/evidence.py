"""Decide from measurements which controls are in force. A control that was not measured is missing.

`controls` runs in the guest's own process right before exec, so that a run below the floor ends there. The other
functions run in the supervisor, after the run.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sandbox_runtime.jail.controls import rlimits
from sandbox_runtime.jail.controls.cgroup import Counters
from sandbox_runtime.jail.controls.mounts import DEVICES, PRIVATE_MOUNTS
from sandbox_runtime.jail.controls.own_inodes import SOURCE
from sandbox_runtime.jail.protocol import Terms
from sandbox_runtime.jail.spec import CgroupUsage, Evidence, JailSpec, Limits

# The guest's own process is measured, right before exec. Neither exec nor the guest can undo a control then.

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


_NAMESPACE_CONTROLS = {
    "pid": "pid_namespace",
    "mnt": "mount_namespace",
    "net": "network_namespace",
    "ipc": "ipc_namespace",
    "uts": "uts_namespace",
    "cgroup": "cgroup_namespace",
}
_CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_SECCOMP_FILTERING = "2"  # proc_pid_status(5)
_PRIVATE = tuple(
    (point, mount.kind, tuple(f",{option}," for option in mount.required_options))
    for point, mount in PRIVATE_MOUNTS.items()
)
_WRITABLE_POINTS = frozenset({*PRIVATE_MOUNTS, *(f"/dev/{name}" for name in DEVICES)})


def _unprivileged(measured: Measured, terms: Terms) -> bool:
    uid = [str(terms.uid)] * 4
    return terms.uid != 0 and measured.status["Uid"] == uid and measured.status["Gid"] == uid


def _dedicated(measured: Measured, terms: Terms) -> bool:
    """Whether the guest's user differs from the runner's: also in the same user namespace, where ids mean the same."""
    status = measured.status
    is_another = str(terms.runner_uid) not in status["Uid"] and not status["Groups"]
    return is_another and measured.user_namespace == terms.outer_namespaces[0]["user"]


def _no_capabilities(measured: Measured, _: Terms) -> bool:
    return not any(int(measured.status[name][0], 16) for name in _CAPABILITY_SETS)


def _filtered(measured: Measured, terms: Terms) -> bool:
    """Whether we loaded a filter, in addition to the container's own, which every process in it shows."""
    status = measured.status
    own = terms.outer_filters is not None and int(status["Seccomp_filters"][0]) > terms.outer_filters
    return own and status["Seccomp"] == [_SECCOMP_FILTERING]


def _member(membership: str, controller: str, marker: str) -> bool:
    """Whether a line `id:controllers:path` of proc_pid_cgroup(5) names the slot's group."""
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if (controller in controllers.split(",") or not controllers) and marker and path.endswith(marker):
            return True
    return False


def _read_only_elsewhere(measured: Measured, _: Terms) -> bool:
    """Whether only the run's own mounts and the devices are writable, and no mode bit gives a program rights."""
    root_seen = False
    for point, _kind, options, _source in measured.mounts:
        if ",nosuid," not in options or not (",ro," in options or point in _WRITABLE_POINTS):
            return False
        root_seen = root_seen or point == "/"
    return root_seen


def _own_inodes(measured: Measured, terms: Terms) -> bool:
    """Whether no file that the guest can open has the host's inode, which other slots would share.

    A guest that is forked from a warm interpreter can open the interpreter's file through /proc/self/exe.
    """
    for point, kind, _options, source in measured.mounts:
        if source != SOURCE and not (kind == "tmpfs" if point == "/" else point in PRIVATE_MOUNTS):
            return False
    if not measured.mounts:
        return False
    return terms.warm is None or measured.executable_device != terms.interpreter_device


def _private(measured: Measured, _: Terms) -> bool:
    """Whether each private mount is the top one at its mount point, of its kind and with all its options."""
    top = {mount.point: mount for mount in measured.mounts}  # the last one mounted on a point wins
    for point, kind, options in _PRIVATE:
        if point not in top or top[point].kind != kind:
            return False
        for option in options:
            if option not in top[point].options:
                return False
    return True


# Called in this order. They are plain functions, because a forked process copies every page that it writes to.
_CHECKS: dict[str, Callable[[Measured, Terms], bool]] = {
    # All groups are entered together; a member's own list of groups names the slot once for each.
    "memory_limit": lambda measured, terms: _member(measured.groups, "memory", terms.membership_marker),
    "process_limit": lambda measured, terms: _member(measured.groups, "pids", terms.membership_marker),
    "cpu_limit": lambda measured, terms: _member(measured.groups, "cpuacct", terms.membership_marker),
    "cpu_share": lambda measured, terms: terms.shares_cpu and _member(measured.groups, "cpu", terms.membership_marker),
    "unprivileged_user": _unprivileged,
    "dedicated_user": _dedicated,
    "no_capabilities": _no_capabilities,
    "no_new_privileges": lambda measured, _: measured.status["NoNewPrivs"] == ["1"],
    "seccomp": _filtered,
    "read_only_root": _read_only_elsewhere,
    "private_mounts": _private,
    "own_inodes": _own_inodes,
    "rlimits": lambda measured, _: measured.rlimits_in_force is True,
}


def _own(namespace: str, measured: Measured, terms: Terms) -> bool:
    """Whether the run's namespace differs from those of the supervisor and of the template."""
    outer = [namespaces.get(namespace) for namespaces in terms.outer_namespaces]
    return bool(outer) and None not in outer and measured.namespaces.get(namespace, outer[0]) not in outer


def controls(measured: Measured, terms: Terms) -> dict[str, bool]:
    """Return every control by name, and whether it is in force."""
    found = {control: _own(name, measured, terms) for name, control in _NAMESPACE_CONTROLS.items()}
    for name, check in _CHECKS.items():
        try:
            found[name] = check(measured, terms)
        except (KeyError, IndexError, ValueError):
            found[name] = False
    return found


CONTROLS = (*_NAMESPACE_CONTROLS.values(), *_CHECKS)
# They need writable control groups.
GROUP_CONTROLS = ("memory_limit", "process_limit", "cpu_limit", "cpu_share")

# Without CPU shares a program can slow others but not break their isolation. So they are reported, not required.
STRICT_CONTROLS = tuple(name for name in CONTROLS if name != "cpu_share")


def is_strict(missing: Iterable[str]) -> bool:
    """Whether isolation is strict although these controls are missing."""
    return not set(missing) & set(STRICT_CONTROLS)


def not_in_force(found: dict[str, bool], required: Iterable[str]) -> tuple[str, ...]:
    """Return the required controls that are not in force."""
    return tuple([name for name in required if not found.get(name, False)])


def usage(spec: JailSpec, start: Counters, end: Counters) -> CgroupUsage:
    """Return the usage of the run: the difference of the slot's counters, which all its runs share."""
    oom_kills = end.oom_kills - start.oom_kills
    return CgroupUsage(
        memory_limit_bytes=spec.limits.memory_bytes,
        memory_peak_bytes=end.memory_peak_bytes,
        oom_events=oom_kills if end.limit_hits > start.limit_hits else 0,
        oom_kill_events=oom_kills,
        cpu_usage_usec=end.cpu_usage_usec - start.cpu_usage_usec,
        process_count=end.process_count,
        process_limit=spec.limits.max_processes,
        fork_refusals=end.fork_refusals - start.fork_refusals,
    )


def gather(found: dict[str, bool] | None, backend: str, run_usage: CgroupUsage, errors: tuple[str, ...]) -> Evidence:
    """Build the evidence of a finished run. `found`: None when the program never reported."""
    seen = dict(found or {})
    if run_usage.cpu_usage_usec <= 0:
        seen["cpu_limit"] = False  # the group counted no CPU time
    return Evidence(
        controls_applied=tuple(name for name in CONTROLS if seen.get(name, False)),
        controls_missing=not_in_force(seen, CONTROLS),
        cgroup_backend=backend,
        cgroup=run_usage,
        cleanup_verified=run_usage.process_count == 0 and not errors,
        leftover_processes=run_usage.process_count,
        collection_errors=errors,
    )
