"""Probe the isolation of this host: run a program in the jail and report the controls that were in force."""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup import cgroup_backend
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.evidence.in_force import is_strict
from sandbox_runtime.jail.spec import JailSpec, Limits
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
_ORDINARY_USER = 65534  # "nobody": exists everywhere and owns nothing
_PROBE_SECS = 60
_PROBE_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from sandbox_runtime.jail.host.probe import print_probe; print_probe()"
)


@dataclass(frozen=True, slots=True)
class HostSupport:
    """The result of a probe run.

    `controls` were in force and `missing` were not; `problems`: a sentence for each of `missing`, or the one failure.
    `failed_step`, `failed_target`, `failed_errno`: of the JailError when there was no run at all.
    """

    cgroup_backend: str | None
    namespace_support: bool
    controls: tuple[str, ...]
    problems: tuple[str, ...]
    missing: tuple[str, ...] = ()
    failed_step: str = ""
    failed_target: str = ""
    failed_errno: int = 0

    @property
    def is_strict(self) -> bool:
        """Whether isolation is whole here."""
        return not self.failed_step and is_strict(self.missing)


def probe_host() -> HostSupport:
    """Run /bin/true in a jail of its own. Never raises: what fails is a problem in the answer."""
    try:
        with open_slot(SlotConfig("probe", _PROBE_SLOT_INDEX, required_controls=())) as slot:
            evidence = slot.run(JailSpec(argv=("/usr/bin/true",), limits=_PROBE_LIMITS)).evidence
    except JailError as error:
        return _failed(error)
    return HostSupport(
        cgroup_backend=evidence.cgroup_backend,
        namespace_support=all(not name.endswith("_namespace") for name in evidence.controls_missing),
        controls=evidence.controls_applied,
        problems=tuple(f"control not in force: {name}" for name in evidence.controls_missing),
        missing=evidence.controls_missing,
    )


def _failed(error: JailError) -> HostSupport:
    return HostSupport(
        cgroup_backend=cgroup_backend(),
        namespace_support=False,
        controls=(),
        problems=(str(error),),
        failed_step=error.step,
        failed_target=error.target,
        failed_errno=error.errno,
    )


def print_probe() -> None:
    """Entry point of the process that `probe_as_ordinary_user` starts."""
    sys.stdout.write(json.dumps(asdict(probe_host())))


def _copy_for_everybody(place: Path) -> None:
    """Copy the jail's code to `place`, readable by all: the project's folder may be readable by root only."""
    package = Path(__file__).parents[2]
    target = place / package.name
    shutil.copytree(package / "jail", target / "jail", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(package / "__init__.py", target)
    for path in (place, *place.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def probe_as_ordinary_user() -> HostSupport:
    """For root: the same probe in a process of a user without rights. Never raises."""
    interpreter = getattr(sys, "_base_executable", sys.executable)
    try:
        with tempfile.TemporaryDirectory() as place:
            _copy_for_everybody(Path(place))
            done = subprocess.run(
                [interpreter, "-I", "-S", "-c", _PROBE_CODE, place],
                user=_ORDINARY_USER,
                group=_ORDINARY_USER,
                extra_groups=[],
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                cwd="/",
                capture_output=True,
                timeout=_PROBE_SECS,
                check=True,
            )
        fields = json.loads(done.stdout)
    except OSError as error:
        return _failed(JailError("become an ordinary user", errno=error.errno or 0))
    except (subprocess.SubprocessError, ValueError) as error:
        return _failed(JailError("probe as an ordinary user", type(error).__name__))
    for name in ("controls", "problems", "missing"):
        fields[name] = tuple(fields[name])
    return HostSupport(**fields)
