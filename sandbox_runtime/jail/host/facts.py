"""Settings of the host that decide which controls it can give."""

import platform
from dataclasses import dataclass
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup import open_groups
from sandbox_runtime.jail.controls.cgroup.detect import cgroup_backend, close_groups
from sandbox_runtime.jail.errors import JailError


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
