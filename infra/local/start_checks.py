"""Checks before anything is started; each failure is one line with its remedy."""

from __future__ import annotations

import fcntl
import os
import socket
from typing import IO, TYPE_CHECKING

from infra.local.settings import TOOLCHAINS_DIR, StartError
from sandbox_runtime.languages import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def check_host() -> None:
    """Refuse users other than root: the jail needs root."""
    if os.geteuid() != 0:
        raise StartError("the jail needs root (namespaces, cgroups, mounts): run `sudo make up`")


def check_stage(parameters: Mapping[str, str]) -> None:
    """Check the rules of the template, as CloudFormation does on AWS. `parameters`: of the template."""
    if parameters["AllowInsecureWebhookTargets"] == "true" and parameters["Stage"] != "local":
        raise StartError(
            f"AllowInsecureWebhookTargets is for the stage local only, and Stage is {parameters['Stage']}: unset "
            "RUSTBOX_PARAM_Stage, or set RUSTBOX_PARAM_AllowInsecureWebhookTargets=false"
        )


def check_toolchains(offered: str) -> None:
    """Refuse to offer languages without their toolchains. `offered`: the template's OfferedLanguages."""
    promised = [name.strip() for name in offered.split(",") if name.strip()]
    known = {language.name: language for language in LANGUAGES}
    if unknown := [name for name in promised if name not in known]:
        raise StartError(f"OfferedLanguages: there is no {', '.join(unknown)}: it may hold {','.join(known)}")
    missing = {name: paths for name in promised if (paths := known[name].missing(TOOLCHAINS_DIR))}
    if missing:
        found = "; ".join(f"{name} ({', '.join(paths)})" for name, paths in missing.items())
        rest = ",".join(name for name in promised if name not in missing)
        otherwise = f", or offer less: RUSTBOX_PARAM_OfferedLanguages={rest}" if rest else ""
        raise StartError(f"toolchains are missing, {found}: run `make setup`{otherwise}")


def lock_state(state_dir: Path) -> IO[str]:
    """Lock the state folder. The kernel releases the lock when this process ends."""
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


def listen(address: str, port: int) -> socket.socket:
    """Listen on the port. Call it first, so that a busy port stops the start at once."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise StartError(
            f"port {port} is not free ({error.strerror}): choose another one, PORT={port + 1} make up"
        ) from error
    return listener
