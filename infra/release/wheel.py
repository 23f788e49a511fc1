"""The wheel of the command line. The same sources give the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.deploy.errors import DeployError
from infra.deploy.package import ROOT

_BUILD_SECS = 120
# The first date that a zip can hold: dates of files are no part of a wheel's content.
_EPOCH = "315532800"


def build_wheel(out: Path) -> Path:
    """Build `rustbox_cli-<version>-py3-none-any.whl` in `out`. Raises DeployError."""
    with TemporaryDirectory() as folder:
        stage = Path(folder)
        (stage / "rustbox_cli").mkdir()
        modules = (ROOT / "rustbox_cli").glob("*.py")
        for source in (*modules, ROOT / "rustbox_cli" / "checks.schema.json"):
            shutil.copyfile(source, stage / "rustbox_cli" / source.name)
        for source, name in (
            (ROOT / "rustbox_cli" / "pyproject.toml", "pyproject.toml"),
            (ROOT / "docs" / "cli.md", "README.md"),
            (ROOT / "LICENSE", "LICENSE"),
        ):
            shutil.copyfile(source, stage / name)
        for path in stage.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)  # whatever this user's umask is
        options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
        done = subprocess.run(
            [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(out), str(stage)],
            env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH},
            umask=0o022,
            capture_output=True,
            text=True,
            check=False,
            timeout=_BUILD_SECS,
        )
    if done.returncode:
        raise DeployError(f"the wheel of the command line cannot be built:\n{done.stderr.strip()[-2000:]}")
    (wheel,) = out.glob("rustbox_cli-*.whl")
    return wheel
