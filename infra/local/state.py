"""The state of a stack: the administrator's key, its version, and its backups."""

import os
import secrets
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from infra.embedded.backup import back_up, restore
from infra.embedded.engine import KEYS_FILE_NAME
from infra.local.embedded_aws import FOLDER, EmbeddedAws, lock_state
from infra.local.settings import ADMIN_KEY, ADMIN_KEY_PARAMETER, StartError, read_settings, read_state_dir

# The administrator's key: fixed and public with `up`; made once with `serve`, and shown only then.
#
# It also tells whose state this is. A state of `up` has a project whose key everybody knows.

_BYTES = 32
_STDERR = 2


def seed_admin_key(ssm: Any) -> None:
    """Put the fixed key where `manage` reads it, as on AWS. Raises StartError for a state of `serve`."""
    if _find_key(ssm) not in {None, ADMIN_KEY}:
        raise StartError("this is the state of `make serve`; `make up` has public keys: set RUSTBOX_STATE_DIR")
    _put_key(ssm, ADMIN_KEY)


def ensure_admin_key(ssm: Any, flush: Callable[[], None]) -> None:
    """Make a key where there is none, and show it when `flush` has returned.

    Raises StartError for a state of `up`, and if the journal would keep the key.
    """
    if _find_own_key(ssm) is not None:
        return
    if _is_journal(_STDERR):
        raise StartError("there is no administrator's key: run `make admin-key` in a terminal, then start again")
    _make_key(ssm, flush)


def replace_admin_key() -> None:
    """`admin-key`: make a new key, also while the stack runs, and show it. Raises StartError, StoreUnusableError."""
    from infra.local.embedded_aws import session  # noqa: PLC0415 - backups need no boto3

    state_dir = read_state_dir(os.environ, production=True)
    lock = None
    with suppress(StartError):  # a stack that runs has prepared the file
        lock = lock_state(state_dir)
    embedded = EmbeddedAws(state_dir, "FULL", prepare=lock is not None)
    embedded.answer_clients()
    ssm = session().client("ssm")
    _find_own_key(ssm)
    _make_key(ssm, embedded.engine.store.flush)
    embedded.close()


def _is_journal(descriptor: int) -> bool:
    """Whether systemd connected the descriptor to the journal: JOURNAL_STREAM in systemd.exec(5)."""
    status = os.fstat(descriptor)
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _find_key(ssm: Any) -> str | None:
    try:
        found: str = ssm.get_parameter(Name=ADMIN_KEY_PARAMETER, WithDecryption=True)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return None
    return found


def _find_own_key(ssm: Any) -> str | None:
    found = _find_key(ssm)
    if found == ADMIN_KEY:
        raise StartError("this is a state of `make up`, whose keys are public: set RUSTBOX_STATE_DIR to another folder")
    return found


def _put_key(ssm: Any, key: str) -> None:
    ssm.put_parameter(Name=ADMIN_KEY_PARAMETER, Value=key, Type="SecureString", Overwrite=True)


def _make_key(ssm: Any, flush: Callable[[], None]) -> None:
    key = secrets.token_urlsafe(_BYTES)
    _put_key(ssm, key)
    flush()
    # Not through the console: logs are kept.
    sys.stderr.write(f"rustbox: the administrator's key, shown only now: {key}\n")
    sys.stderr.flush()


# `make backup` and `make restore`: one file holds all state but the master keys.

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


def run_backup(command: str, file: str) -> None:
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
