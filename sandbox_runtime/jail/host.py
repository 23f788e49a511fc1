"""Probe the isolation of this host, and advise on missing controls: for each a sentence with cause and remedy."""

import errno
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup import cgroup_backend, close_groups, open_groups
from sandbox_runtime.jail.errors import NEEDS_ROOT, JailError
from sandbox_runtime.jail.evidence import CONTROLS, GROUP_CONTROLS, is_strict
from sandbox_runtime.jail.spec import JailSpec, Limits
from sandbox_runtime.jail.supervisor.slot import SlotConfig, open_slot


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Settings of the kernel; None: it has no such setting. `groups_problem`: "" when groups can be made."""

    kernel: str
    machine: str
    cgroup_version: str | None
    groups_problem: str
    max_user_namespaces: int | None
    core_pattern: str | None = None
    epoll_watches: int | None = None
    in_user_namespace: bool = False
    apparmor_profile: str | None = None


def _core_pattern() -> str | None:
    try:
        return Path("/proc/sys/kernel/core_pattern").read_text().strip()
    except OSError:
        return None


def _setting(path: str) -> int | None:
    try:
        return int((Path("/proc/sys") / path).read_text())
    except (OSError, ValueError):
        return None


def _apparmor_profile() -> str | None:
    """The profile that confines this process, with its mode; None without AppArmor and without a profile."""
    try:
        profile = Path("/proc/self/attr/apparmor/current").read_text().strip()
    except OSError:
        return None
    return None if profile == "unconfined" else profile


def _in_user_namespace() -> bool:
    try:
        # The host's own namespace maps all ids.
        return Path("/proc/self/uid_map").read_text().split() != ["0", "0", str(2**32 - 1)]
    except OSError:
        return False


def _groups_problem() -> str:
    try:
        close_groups(open_groups("doctor"))
    except JailError as error:
        return str(error)
    return ""


def read_facts() -> HostFacts:
    """Read the settings, and try to make groups."""
    return HostFacts(
        kernel=platform.release(),
        machine=platform.machine(),
        cgroup_version=cgroup_backend(),
        groups_problem=_groups_problem(),
        max_user_namespaces=_setting("user/max_user_namespaces"),
        core_pattern=_core_pattern(),
        epoll_watches=_setting("fs/epoll/max_user_watches"),
        in_user_namespace=_in_user_namespace(),
        apparmor_profile=_apparmor_profile(),
    )


_PROBE_LIMITS = Limits(
    cpu_time_secs=2,
    wall_time_secs=5,
    memory_bytes=64 << 20,
    max_processes=4,
    max_open_files=16,
    max_file_bytes=1 << 20,
    output_bytes=4096,
)
_PROBE_SLOT_INDEX = 63


@dataclass(frozen=True, slots=True)
class HostSupport:
    """The result of a probe run: the controls that were in force, or the failure when there was no run at all."""

    cgroup_backend: str | None
    controls: tuple[str, ...]
    failure: JailError | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """The controls that were not in force. Empty after a failure."""
        return () if self.failure else tuple(name for name in CONTROLS if name not in self.controls)

    @property
    def namespace_support(self) -> bool:
        return self.failure is None and not any(name.endswith("_namespace") for name in self.missing)

    @property
    def is_strict(self) -> bool:
        return self.failure is None and is_strict(self.missing)


def probe_host(net_namespace: int | None = None) -> HostSupport:
    """Run /usr/bin/true in a jail of its own. `net_namespace`: of `JailSpec`. Never raises."""
    try:
        with open_slot(SlotConfig("probe", _PROBE_SLOT_INDEX, required_controls=())) as slot:
            spec = JailSpec(argv=("/usr/bin/true",), limits=_PROBE_LIMITS, net_namespace=net_namespace)
            evidence = slot.run(spec).evidence
    except JailError as error:
        return HostSupport(cgroup_backend(), (), error)
    return HostSupport(evidence.cgroup_backend, evidence.controls_applied)


# The kernel looks at so many in about 2 ms.
_MOST_EPOLL_WATCHES = 16_384


def advice(facts: HostFacts, support: HostSupport | None) -> tuple[str, ...]:
    """Return the sentences. `support`: None without root."""
    leak = core_pattern_problem(facts.core_pattern)
    return (
        *([f"every mode: {leak}."] if leak else ()),
        *_epoll_advice(facts.epoll_watches),
        *_strict_advice(facts, support),
    )


def core_pattern_problem(pattern: str | None) -> str:
    """Warn of a core pattern that is a pipe or a socket: RLIMIT_CORE of 0 prevents only core files, core(5)."""
    if not (pattern or "").startswith(("|", "@")):
        return ""
    return (
        f"kernel.core_pattern is {pattern!r}: each crash of a guest sends its memory to that program, which runs as "
        "root on the host, or to that socket; no limit of the jail prevents it: "
        "run `sysctl -w kernel.core_pattern=core` on the host"
    )


def _epoll_advice(watches: int | None) -> Iterator[str]:
    if (watches or 0) > _MOST_EPOLL_WATCHES:
        yield (
            f"every mode: fs.epoll.max_user_watches is {watches}: a guest may watch so many files by epoll, and the "
            "host holds one lock of all its processes while it looks at them: "
            f"run `sysctl -w fs.epoll.max_user_watches={_MOST_EPOLL_WATCHES}` on the host."
        )


def _strict_advice(facts: HostFacts, support: HostSupport | None) -> Iterator[str]:
    if support is None:
        yield f"strict: not tried: {NEEDS_ROOT}."
        return
    if support.failure is not None:
        yield f"strict: it fails at: {support.failure}."
        if facts.in_user_namespace:
            yield (
                "strict: this is root of a user namespace only, as in a container of a rootless engine: "
                "start the container as root of the host, without user namespaces (userns-remap)."
            )
        elif facts.cgroup_version is None:
            yield (
                "strict: no control groups with the memory and pids controllers are mounted: mount cgroup2 on "
                "/sys/fs/cgroup (in a container: mount a writable /sys/fs/cgroup)."
            )
        elif facts.groups_problem:
            yield "strict: groups cannot be made here: make the mount of the control groups writable."
        elif sentence := _apparmor_advice(facts, support.failure):
            yield f"strict: {sentence}"
        elif support.failure.errno == errno.EPERM:
            yield "strict: capabilities are missing: give the runner or its container those listed in docs/runner.md."
    for name in support.missing:
        yield f"strict: {name} is not in force: {_WHAT_GIVES.get(name, 'it is needed for strict mode')}."


def _apparmor_advice(facts: HostFacts, failure: JailError) -> str:
    """Return the sentence for a refusal of AppArmor, else ""."""
    # Missing capabilities and filters of system calls give EPERM.
    if facts.apparmor_profile is None or failure.errno != errno.EACCES:
        return ""
    return (
        f"AppArmor's profile {facts.apparmor_profile} confines this process: start the container with "
        "`--security-opt apparmor=unconfined`, or for strict mode with infra/runner/apparmor.profile."
    )


_WHAT_GIVES = {
    **dict.fromkeys(GROUP_CONTROLS, "make the mount of the control groups writable"),
    "cpu_share": (
        "give the runner's groups the cpu controller (v1: mount it writable; v2: delegate it), "
        "otherwise the processes of one run slow those of others"
    ),
    "dedicated_user": "start the runner as root of the host's own user namespace, with CAP_SETUID and CAP_SETGID",
    "unprivileged_user": "give the runner CAP_SETUID and CAP_SETGID",
    "no_capabilities": "give the runner CAP_SETPCAP, which it needs to drop all capabilities",
    "seccomp": "use a kernel from Linux 5.9 on, with CONFIG_SECCOMP_FILTER",
    "own_inodes": (
        "use a kernel with overlayfs (CONFIG_OVERLAY_FS), and no root of the runner that is an overlay on an overlay"
    ),
    "rlimits": "raise the hard limits that the runner was started with",
    **{
        f"{name}_namespace": f"use a kernel with {option}"
        for name, option in {
            "pid": "CONFIG_PID_NS",
            "mount": "namespaces",
            "network": "CONFIG_NET_NS",
            "ipc": "CONFIG_IPC_NS",
            "uts": "CONFIG_UTS_NS",
            "cgroup": "CONFIG_CGROUPS",
        }.items()
    },
}
