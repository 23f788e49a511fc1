"""Run one untrusted program, contained. `open_slot(config).run(spec) -> Outcome`.

Standard library only; knows nothing of languages, verdicts or queues.
"""

from sandbox_runtime.jail.cgroup import remove_stale_groups
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.host import HostSupport, probe_host
from sandbox_runtime.jail.mounts import WORKING_DIRECTORY, BindMount
from sandbox_runtime.jail.slot import Slot, SlotConfig, open_slot
from sandbox_runtime.jail.spec import (
    CgroupUsage,
    Evidence,
    GuestFile,
    JailSpec,
    Limits,
    Outcome,
    StopReason,
)

__all__ = [
    "WORKING_DIRECTORY",
    "BindMount",
    "CgroupUsage",
    "Evidence",
    "GuestFile",
    "HostSupport",
    "JailError",
    "JailSpec",
    "Limits",
    "Outcome",
    "Slot",
    "SlotConfig",
    "StopReason",
    "open_slot",
    "probe_host",
    "remove_stale_groups",
]
