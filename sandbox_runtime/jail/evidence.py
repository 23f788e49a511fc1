"""Turn what was measured on a run into lists of controls applied and missing. Fails closed: unseen is missing."""

import os
from collections.abc import Callable
from typing import Any

from sandbox_runtime.jail.cgroup import Counters, SlotGroups
from sandbox_runtime.jail.program import NAMESPACES
from sandbox_runtime.jail.spec import CgroupUsage, Evidence, JailSpec

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


def host_namespaces() -> dict[str, str]:
    """Our own namespaces, which a guest's must all differ from."""
    return {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES}


def _checks(ready: dict[str, Any], uid: int, groups: SlotGroups) -> dict[str, Callable[[], bool]]:
    status: dict[str, list[str]] = ready["status"]
    return {
        # All three groups are entered together; a member's own list of groups names the slot once for each.
        "memory_limit": lambda: _member(ready["groups"], "memory", groups),
        "process_limit": lambda: _member(ready["groups"], "pids", groups),
        "cpu_limit": lambda: _member(ready["groups"], "cpuacct", groups),
        "unprivileged_user": lambda: (
            status["Uid"] == [str(uid)] * 4 and status["Gid"] == [str(uid)] * 4 and not status["Groups"]
        ),
        "no_capabilities": lambda: all(int(status[name][0], 16) == 0 for name in _CAPABILITY_SETS),
        "no_new_privileges": lambda: status["NoNewPrivs"] == ["1"],
        "seccomp": lambda: status["Seccomp"] == [_SECCOMP_FILTERING],
        "read_only_root": lambda: ready["root_read_only"] is True,
        "rlimits": lambda: ready["rlimits"] is True,
    }


def _member(membership: str, controller: str, groups: SlotGroups) -> bool:
    """Whether a line `id:controllers:path` of proc_pid_cgroup(5) puts the process in the slot's group."""
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if (controller in controllers.split(",") or not controllers) and path.endswith(groups.membership_marker):
            return True
    return False


def controls(ready: dict[str, Any] | None, host: dict[str, str], uid: int, groups: SlotGroups) -> dict[str, bool]:
    """Every control by name, and whether it was in force on the guest's own process right before its exec."""
    names = [*_NAMESPACE_CONTROLS.values(), *_checks({"status": {}}, uid, groups)]
    if ready is None:
        return dict.fromkeys(names, False)
    report = ready["controls"]
    found = {
        control: report["namespaces"].get(name, host[name]) != host[name]
        for name, control in _NAMESPACE_CONTROLS.items()
    }
    for name, check in _checks(report, uid, groups).items():
        try:
            found[name] = check()
        except (KeyError, IndexError, ValueError):
            found[name] = False
    return found


def usage(spec: JailSpec, start: Counters, end: Counters) -> CgroupUsage:
    """The run's own figures: differences of the slot's counters, which are reused from run to run."""
    limit_bytes, peak_bytes = spec.limits.memory_bytes, end.memory_peak_bytes
    # At the limit the pages left from before were dropped to make room: the whole peak was the run's own.
    own_peak_bytes = peak_bytes if peak_bytes >= limit_bytes else max(0, peak_bytes - start.memory_now_bytes)
    return CgroupUsage(
        memory_limit_bytes=limit_bytes,
        memory_peak_bytes=own_peak_bytes,
        oom_events=end.oom_kills - start.oom_kills,
        oom_kill_events=end.oom_kills - start.oom_kills,
        cpu_usage_usec=end.cpu_usage_usec - start.cpu_usage_usec,
        process_count=end.process_count,
        process_limit=spec.limits.max_processes,
        fork_refusals=end.fork_refusals - start.fork_refusals,
    )


def gather(found: dict[str, bool], backend: str, run_usage: CgroupUsage, errors: tuple[str, ...]) -> Evidence:
    """The evidence of a finished run."""
    return Evidence(
        controls_applied=tuple(name for name, applied in found.items() if applied),
        controls_missing=tuple(name for name, applied in found.items() if not applied),
        cgroup_backend=backend,
        cgroup=run_usage,
        cleanup_verified=run_usage.process_count == 0 and not errors,
        leftover_processes=run_usage.process_count,
        collection_errors=errors,
    )
