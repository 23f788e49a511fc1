"""Commands that tests run to their end."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def run_to_end(command: Sequence[str | Path], *, check: bool = False, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository's folder; return it with its output. `more`: of `subprocess.run`."""
    settings = {"cwd": ROOT, "timeout": 300, "capture_output": True, "text": True} | more
    return subprocess.run(command, check=check, **settings)  # type: ignore[call-overload, no-any-return] # passed on
