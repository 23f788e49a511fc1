"""Probe the isolation of this host: run a program in the jail and report the controls that were in force."""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup import cgroup_backend
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.evidence.in_force import CONTROLS, is_strict
from sandbox_runtime.jail.spec import JailSpec, Limits
from sandbox_runtime.jail.supervisor.setup_timeout import SETUP_TIMEOUT
from sandbox_runtime.jail.supervisor.slot import open_slot
from sandbox_runtime.jail.supervisor.slot_config import SlotConfig

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
_ORDINARY_USER = 65534  # "nobody": exists on every host and owns no file
_PROBE_TIMEOUTS = 6  # so many timeouts of the set-up may the whole probe take in a process of its own
_PROBE_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from sandbox_runtime.jail.host.probe import print_probe; print_probe(float(sys.argv[2]))"
)


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


def print_probe(setup_timeout_secs: float) -> None:
    """Entry point of the process that `probe_as_ordinary_user` starts."""
    SETUP_TIMEOUT.secs = setup_timeout_secs
    found = probe_host()
    failure = None if found.failure is None else found.failure.facts
    sys.stdout.write(json.dumps([found.cgroup_backend, found.controls, failure]))


def _copy_for_everybody(place: Path) -> None:
    """Copy the jail's code to `place`, readable by all users: perhaps only root can read the project's folder."""
    package = Path(__file__).parents[2]
    target = place / package.name
    shutil.copytree(package / "jail", target / "jail", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(package / "__init__.py", target)
    for path in (place, *place.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def probe_as_ordinary_user() -> HostSupport:
    """Run the same probe as an ordinary user. Only root can. Never raises."""
    interpreter = getattr(sys, "_base_executable", sys.executable)
    try:
        with tempfile.TemporaryDirectory() as place:
            _copy_for_everybody(Path(place))
            done = subprocess.run(
                [interpreter, "-I", "-S", "-c", _PROBE_CODE, place, str(SETUP_TIMEOUT.secs)],
                user=_ORDINARY_USER,
                group=_ORDINARY_USER,
                extra_groups=[],
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                cwd="/",
                capture_output=True,
                timeout=_PROBE_TIMEOUTS * SETUP_TIMEOUT.secs,
                check=True,
            )
        backend, controls, failure = json.loads(done.stdout)
    except OSError as error:
        return HostSupport(cgroup_backend(), (), JailError("become an ordinary user", errno=error.errno or 0))
    except (subprocess.SubprocessError, ValueError) as error:
        return HostSupport(cgroup_backend(), (), JailError("probe as an ordinary user", type(error).__name__))
    return HostSupport(backend, tuple(controls), None if failure is None else JailError(**failure))
