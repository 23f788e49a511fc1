"""`make backup` and `make restore`: one file holds all state but the master keys."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from infra.embedded.backup import back_up, restore
from infra.embedded.engine import KEYS_FILE_NAME
from infra.local.aws.embedded_aws import FOLDER
from infra.local.settings import StartError, read_settings
from infra.local.start_checks import lock_state

# The latest version that used a state: an older one reads its rows only if it is one minor version apart at most.

_PARAMETER: Final = "/rustbox-local/state-version"


def require_readable(ssm: Any, version: str) -> None:
    """Note this version in the state, and in its backups. Raises StartError for a state of one that is too new."""
    try:
        written = str(ssm.get_parameter(Name=_PARAMETER)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:  # of a version that did not note it
        written = ""
    if written and _minor(written) > _next_minor(version):
        raise StartError(
            f"this state was used by version {written}, and {version} reads those of the next minor version at most: "
            "install a newer version, or restore a backup from before the upgrade"
        )
    if not written or _parts(written) < _parts(version):
        ssm.put_parameter(Name=_PARAMETER, Value=version, Type="String", Overwrite=True)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _minor(version: str) -> tuple[int, ...]:
    return _parts(version)[:2]


def _next_minor(version: str) -> tuple[int, ...]:
    major, minor = _minor(version)
    return major, minor + 1


def run(command: str, file: str) -> None:
    """`command`: backup or restore. A signal ends it as Ctrl-C does. Raises StartError, StoreUnusableError."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    state_dir, path = read_settings(os.environ).state_dir, Path(file).absolute()
    folder = state_dir / FOLDER
    if command == "backup":
        back_up(folder, path)
        _tell(f"{path} holds all state but the master keys. Keep a copy of {folder / KEYS_FILE_NAME} elsewhere:")
        _tell("without it, a restore on another machine is refused. Together they open every secret.")
    else:
        with lock_state(state_dir):
            kept = restore(folder, path)
        _tell(f"restored {path}" + (f"; the earlier state is in {kept}" if kept else ""))


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
