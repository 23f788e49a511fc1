"""`make backup` and `make restore`: one file holds all state but the master keys."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from infra.embedded.backup import back_up, restore
from infra.embedded.engine import KEYS_FILE_NAME
from infra.local.aws.embedded_aws import FOLDER
from infra.local.settings import read_settings
from infra.local.start_checks import lock_state


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
