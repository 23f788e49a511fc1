"""Run one untrusted program, contained. `open_slot(config).run(spec) -> Outcome`.

Standard library only; knows nothing of languages, verdicts or queues.
"""

from sandbox_runtime.jail.controls.cgroup import remove_stale_groups
from sandbox_runtime.jail.controls.mounts import WORKING_DIRECTORY, BindMount
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.evidence.in_force import (
    CONTROLS,
    PERMISSIVE_CONTROLS,
    STRICT_CONTROLS,
    default_floor,
    is_strict,
    not_in_force,
)
from sandbox_runtime.jail.host.advice import HostFacts, advice, read_facts
from sandbox_runtime.jail.host.probe import HostSupport, probe_as_ordinary_user, probe_host
from sandbox_runtime.jail.python_fork import WarmStart
from sandbox_runtime.jail.spec import (
    CgroupUsage,
    Evidence,
    FilterFamily,
    GuestFile,
    JailSpec,
    Limits,
    Outcome,
    StopReason,
    WaitingCommand,
)
from sandbox_runtime.jail.supervisor.slot import Slot, open_slot
from sandbox_runtime.jail.supervisor.slot_config import SlotConfig

__all__ = [
    "CONTROLS",
    "PERMISSIVE_CONTROLS",
    "STRICT_CONTROLS",
    "WORKING_DIRECTORY",
    "BindMount",
    "CgroupUsage",
    "Evidence",
    "FilterFamily",
    "GuestFile",
    "HostFacts",
    "HostSupport",
    "JailError",
    "JailSpec",
    "Limits",
    "Outcome",
    "Slot",
    "SlotConfig",
    "StopReason",
    "WaitingCommand",
    "WarmStart",
    "advice",
    "default_floor",
    "is_strict",
    "not_in_force",
    "open_slot",
    "probe_as_ordinary_user",
    "probe_host",
    "read_facts",
    "remove_stale_groups",
]
