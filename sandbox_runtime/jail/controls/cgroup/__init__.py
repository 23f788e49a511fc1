"""Control groups of one slot: limits before a run, counters after it. One interface, one back end per version."""

from sandbox_runtime.jail.controls.cgroup.detect import cgroup_backend, close_groups, open_groups, remove_stale_groups
from sandbox_runtime.jail.controls.cgroup.interface import Counters, SlotGroups

__all__ = [
    "Counters",
    "SlotGroups",
    "cgroup_backend",
    "close_groups",
    "open_groups",
    "remove_stale_groups",
]
