"""The wheel of the command line. The same sources give the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from infra.deploy.building.package import ROOT
from infra.deploy.errors import DeployError

if TYPE_CHECKING:
    from pathlib import Path

_BUILD_SECS = 120
# The first date that a zip can hold: dates of files are no part of a wheel's content.
_EPOCH = "315532800"


def build_wheel(out: Path) -> Path:
    """Build `rustbox_cli-<version>-py3-none-any.whl` in `out`. Raises DeployError."""
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(out), str(ROOT)],
        env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH},
        capture_output=True,
        text=True,
        check=False,
        timeout=_BUILD_SECS,
    )
    if done.returncode:
        raise DeployError(f"the wheel of the command line cannot be built:\n{done.stderr.strip()[-2000:]}")
    (wheel,) = out.glob("rustbox_cli-*.whl")
    return wheel
