"""Facts of the machine and versions of what takes part."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from sandbox_runtime import RUNNER_VERSION
from sandbox_runtime.jail import read_facts
from sandbox_runtime.languages import present, version

ROOT = Path(__file__).resolve().parents[1]
TOOLCHAINS = str(ROOT / ".toolchains")


def machine_facts() -> dict[str, Any]:
    """Call before anything is measured: the load is the machine's own then."""
    facts = read_facts()
    return {
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "cores": len(os.sched_getaffinity(0)),
        "cpu_model": _field("/proc/cpuinfo", "model name"),
        "hypervisor": "hypervisor" in _field("/proc/cpuinfo", "flags").split(),
        "memory_mib": int(_field("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "kernel": facts.kernel,
        "architecture": facts.machine,
        "cgroup_backend": facts.cgroup_version or "none",
        "user": "root" if os.geteuid() == 0 else "ordinary",
    }


def versions() -> dict[str, str]:
    """Revision, runner, Python, and each toolchain that is installed."""
    toolchains = {
        name: version(language, TOOLCHAINS) for name, language in present(TOOLCHAINS).items() if name != "python"
    }
    return {
        "git revision": _revision(),
        "runner": RUNNER_VERSION,
        "python": platform.python_version(),
        "debian": _text("/etc/debian_version"),
        **toolchains,
    }


def _field(path: str, name: str) -> str:
    for line in _text(path).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _revision() -> str:
    """The commit; with `+` if files differ from it, results of earlier benchmarks aside."""
    revision = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--", ".", ":!docs/benchmarks", ":!docs/benchmarks.md")
    return f"{revision}{'+' if changed else ''}" if revision else "unknown"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, check=True, text=True)  # noqa: S607
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
