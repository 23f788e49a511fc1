"""Probe the isolation of this host: run a program in the jail and report the controls that were in force."""

from dataclasses import dataclass

from sandbox_runtime.jail.controls.cgroup import cgroup_backend
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.evidence.in_force import CONTROLS, is_strict
from sandbox_runtime.jail.spec import JailSpec, Limits
from sandbox_runtime.jail.supervisor.slot import SlotConfig, open_slot

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
        """Whether all namespaces were in force."""
        return self.failure is None and not any(name.endswith("_namespace") for name in self.missing)

    @property
    def is_strict(self) -> bool:
        """Whether isolation is complete on this host."""
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
