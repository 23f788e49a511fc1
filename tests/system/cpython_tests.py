"""Modules of CPython's own tests (Debian's libpython3.13-testsuite), on the host and in a run, and their outcomes."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tests.commands import run_to_end
from tests.guest_files import guest
from tests.system.local_stack import final_result

TESTS = Path("/usr/lib/python3.13/test")
HOST_SECS = 60
USER = 65534
"""On the host: nobody, and nogroup."""
LIMITS = {
    "cpu_time_secs": 15,
    "wall_time_secs": 30,
    "memory_mb": 1024,
    "max_processes": 64,
    "file_size_mb": 100,
    "open_files": 1024,
}
_MARK = "\noutcomes: "
# Its last line has the outcome of each test, and the last line of each reason. No resources: nothing that needs the
# network, a screen, much time or much memory. A test that forks and returns in the child must not print again.
_PROGRAM = guest("workloads/cpython_outcomes.py")
# The host's side: an ordinary user in a network namespace that has a loopback and nothing else, in a PID namespace that
# ends with it. This process is the first one there, so the tests are not.
_ON_HOST = f"""
import fcntl, signal, socket, struct, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
with socket.socket() as opened:
    fcntl.ioctl(opened, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
subprocess.run(sys.argv[1:], user={USER}, group={USER}, extra_groups=[], start_new_session=True)
"""
_SEPARATE = ("unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child")


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What each test of a module did: passed, failed or skipped, and why. Without tests the module did not end."""

    found: dict[str, str]
    reasons: dict[str, str]

    def others(self, than: "Outcomes") -> dict[str, str]:
        """Return the tests that had another outcome there, with both and the reason."""
        names = sorted(name for name in self.found | than.found if self.found.get(name) != than.found.get(name))
        return {
            name: f"{than.found.get(name)} -> {self.found.get(name)} {self.reasons.get(name) or than.reasons.get(name)}"
            for name in names
        }


def modules() -> list[str]:
    """Return the names of all modules and packages of tests."""
    return sorted(path.stem for path in TESTS.glob("test_*") if path.suffix == ".py" or path.is_dir())


def on_host(module: str) -> Outcomes:
    """Run a module in an empty folder of the host, with the variables that a run has."""
    with TemporaryDirectory(prefix="cpython-", ignore_cleanup_errors=True) as folder:
        Path(folder, "solution.py").write_text(_program(module))
        os.chown(folder, USER, USER)
        try:
            done = run_to_end(
                [*_SEPARATE, sys.executable, "-I", "-S", "-c", _ON_HOST, "/usr/bin/python3.13", "-u", "solution.py"],
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "HOME": folder, "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                errors="replace",
                timeout=HOST_SECS,
            )
        except subprocess.TimeoutExpired:
            return Outcomes({}, {})
    return _outcomes(module, done.stdout)


def in_run(client: httpx.Client, module: str) -> Outcomes:
    """Run a module through the API."""
    body: dict[str, Any] = {"language": "python", "profile": "agent", "limits": LIMITS, "code": _program(module)}
    response = client.post("/api/submit", params={"wait": "true"}, json=body)
    answer = response.json()
    result = answer if "verdict" in answer else final_result(client, answer["id"], 120)
    return _outcomes(module, result["stdout"] or "")


def _program(module: str) -> str:
    return _PROGRAM.replace("MODULE", module).replace("MARK", _MARK.replace("\n", "\\n"))


def _outcomes(module: str, stdout: str) -> Outcomes:
    _, mark, line = stdout.rpartition(_MARK)
    if not mark:
        return Outcomes({}, {})
    found, reasons = (
        {name.removeprefix(f"test.{module}."): value for name, value in part.items()}
        for part in json.loads(line.partition("\n")[0])
    )
    return Outcomes(found, reasons)
