"""Changes to a template process that switch one control off. They run in the template, before any guest.

No change gives a guest more than it needs to show that the control was off.
"""

import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sandbox_runtime.jail.inside import template
from sandbox_runtime.jail.protocol import Terms
from tests.jail.weakened import files, namespaces, privileges
from tests.jail.weakened.patching import Settings

CHANGES: dict[str, Callable[[Settings], None]] = {
    "mount_namespace": namespaces.no_mount_namespace,
    "network_namespace": namespaces.no_network_namespace,
    "unreachable_network": namespaces.reachable_network,
    "ipc_namespace": namespaces.no_ipc_namespace,
    "pid_namespace": namespaces.no_pid_namespace,
    "uts_namespace": namespaces.no_uts_namespace,
    "cgroup_namespace": namespaces.no_cgroup_namespace,
    "unprivileged_user": privileges.no_unprivileged_user,
    "no_capabilities": privileges.no_no_capabilities,
    "no_new_privileges": privileges.no_no_new_privileges,
    "seccomp": privileges.no_seccomp,
    "rlimits": privileges.no_rlimits,
    "read_only_root": files.no_read_only_root,
    "private_mounts": files.no_private_mounts,
    "own_inodes": files.no_own_inodes,
    "proc_subset": files.no_proc_subset,
    "read_only_proc": files.no_read_only_proc,
    "noexec_mounts": files.no_noexec_mounts,
    "inode_limit": files.no_inode_limit,
    "closed_descriptors": files.no_closed_descriptors,
    "sealed_input": files.no_sealed_input,
}
_CAP_NET_ADMIN = 12
_IFF_UP = 1


def loopback_is_up() -> bool:
    """Whether the host itself could reach its own ports."""
    return int(Path("/sys/class/net/lo/flags").read_text(), 16) & _IFF_UP != 0


def obstacle(control: str) -> str:
    """Why this process, perhaps in a container, cannot make that change; "" if it can."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    capabilities = int(status["CapEff"], 16)
    needed = {"no_capabilities": privileges.HARMLESS_CAPABILITIES, "unreachable_network": (_CAP_NET_ADMIN,)}
    if any(not capabilities >> capability & 1 for capability in needed.get(control, ())):
        return "a capability is missing"
    if control == "seccomp" and status["Seccomp"] != "0":
        return "the container's own filter stays"
    if control == "no_new_privileges" and status["NoNewPrivs"] != "0":
        return "the container sets it for everybody"
    if control == "network_namespace" and not loopback_is_up():
        return "the host's own loopback is down"
    hard = {kind: resource.getrlimit(kind)[1] for kind in privileges.RAISED_RLIMITS}
    lower = [kind for kind, value in privileges.RAISED_RLIMITS.items() if 0 <= hard[kind] < value]
    return "a hard limit of the container is lower" if control == "rlimits" and lower else ""


def main(control: str, arguments: str, guests_path: list[str]) -> None:
    """Be the template of a jail without `control`."""
    terms = Terms.parse(arguments)
    settings: Settings = {"control_fd": terms.control_fd, "uid": terms.uid}
    CHANGES[control](settings)
    template.main(replace(terms, **settings).serialise(), guests_path)
