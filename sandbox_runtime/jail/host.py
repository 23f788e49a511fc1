"""What this host can give: asked by running a program in the jail, not by looking at version numbers."""

from dataclasses import dataclass

from sandbox_runtime.jail.cgroup import cgroup_backend
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.slot import SlotConfig, open_slot
from sandbox_runtime.jail.spec import JailSpec, Limits

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
    """`controls` were in force in a probe run; `problems` are sentences that say what to change."""

    cgroup_backend: str | None
    namespace_support: bool
    controls: tuple[str, ...]
    problems: tuple[str, ...]


def probe_host() -> HostSupport:
    """Run /bin/true in a jail of its own. Never raises: what fails is a problem in the answer."""
    backend = cgroup_backend()
    try:
        with open_slot(SlotConfig("probe", _PROBE_SLOT_INDEX)) as slot:
            evidence = slot.run(JailSpec(argv=("/usr/bin/true",), limits=_PROBE_LIMITS)).evidence
    except JailError as error:
        return HostSupport(backend, namespace_support=False, controls=(), problems=(str(error),))
    missing = tuple(f"control not in force: {name}" for name in evidence.controls_missing)
    namespaces = all(not name.endswith("_namespace") for name in evidence.controls_missing)
    return HostSupport(backend, namespaces, evidence.controls_applied, missing)
