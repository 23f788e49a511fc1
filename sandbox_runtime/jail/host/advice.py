"""Advice for `doctor`: for each missing control a sentence with the cause and the remedy."""

import errno
from collections.abc import Iterator

from sandbox_runtime.jail.errors import NEEDS_ROOT, JailError
from sandbox_runtime.jail.evidence.in_force import GROUP_CONTROLS
from sandbox_runtime.jail.host.facts import HostFacts
from sandbox_runtime.jail.host.probe import HostSupport

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
