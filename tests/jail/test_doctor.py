"""`python -m sandbox_runtime doctor` on this host: as root, as another user, and where nothing is allowed."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox_runtime.jail import CONTROLS, NEEDS_ROOT
from sandbox_runtime.jail.controls.cgroup.detect import cgroup_backend
from sandbox_runtime.languages import python
from tests.commands import run_to_end
from tests.until import until

ROOT = Path(__file__).parents[2]
INTERPRETER = str(getattr(sys, "_base_executable", sys.executable))
USER = 54_331
SLOWNESS = int(os.environ.get("RUSTBOX_TEST_SLOWNESS", "1"))


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    """Code that every user may read."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        ignored = shutil.ignore_patterns("__pycache__")
        for package in ("sandbox_runtime", "events"):
            shutil.copytree(ROOT / package, place / package, ignore=ignored)
        for path in (place, *place.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield place


def doctor(
    place: Path, *arguments: str, user: int = 0, through: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return run_to_end(
        [*through, INTERPRETER, "-S", "-m", "sandbox_runtime", "doctor", *arguments],
        user=user,
        group=user,
        extra_groups=[],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(place),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SETUP_TIMEOUT_SECS": str(10 * SLOWNESS),
        },
        cwd="/",
        timeout=60 * SLOWNESS,
    )


def fields(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def test_root_gets_strict_mode(copy: Path) -> None:
    done = doctor(copy, "--json")
    shown = fields(done)
    assert (done.returncode, shown["mode"], shown["groups_problem"]) == (0, "strict", ""), shown["advice"]
    assert shown["cgroup_version"] == cgroup_backend()
    assert (shown["kernel"], shown["machine"]) == (os.uname().release, os.uname().machine)
    assert shown["controls"] == dict.fromkeys(CONTROLS, True)
    assert shown["toolchains"]["python"].startswith(f"Python {python.INTERPRETER.removeprefix('/usr/bin/python')}.")
    assert not [sentence for sentence in shown["advice"] if sentence.startswith("strict:")]


def test_without_root_nothing_is_probed_and_the_advice_is_to_use_root(copy: Path) -> None:
    done = doctor(copy, "--json", user=USER)
    shown = fields(done)
    assert (done.returncode, shown["mode"]) == (2, "none")
    assert shown["controls"] == dict.fromkeys(CONTROLS)
    assert f"strict: not tried: {NEEDS_ROOT}." in shown["advice"]
    assert shown["network"] == {"works": False, "problem": NEEDS_ROOT}
    assert shown["toolchains"]["python"]


def test_on_a_host_without_rights_doctor_names_the_reason(copy: Path) -> None:
    # Root of a user namespace that may have none inside: as in a container without rights.
    inside = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    done = doctor(copy, "--json", user=USER, through=("unshare", "-U", "-r", "sh", "-c", inside, "sh"))
    shown = fields(done)
    assert (done.returncode, shown["mode"], shown["max_user_namespaces"]) == (2, "none", 0)
    advice = "\n".join(shown["advice"])
    assert "strict: it fails at" in advice
    assert "root of a user namespace only" in advice


def test_the_table_has_a_line_for_every_control_and_toolchain(copy: Path) -> None:
    done = doctor(copy)
    lines = [line.split() for line in done.stdout.splitlines() if line]
    for name in CONTROLS:
        assert [name, "yes"] in lines
    assert {"python", "c", "rust"} <= {words[0] for words in lines}
    assert done.returncode == 0
    # It leaves no group. Those of another test's doctor go soon.
    until(lambda: not list(Path("/sys/fs/cgroup").glob("**/rustbox-*/doctor")))
