"""The administrator's key: fixed and public with `up`; made once with `serve`, and shown only then.

It also tells whose state this is. A state of `up` has a project whose key everybody knows.
"""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from infra.local.aws.embedded_aws import EmbeddedAws
from infra.local.aws.resources import session
from infra.local.settings import ADMIN_KEY, ADMIN_KEY_PARAMETER, StartError, read_state_dir
from infra.local.start_checks import lock_state

if TYPE_CHECKING:
    from collections.abc import Callable

_BYTES = 32
_STDERR = 2


def seed(ssm: Any) -> None:
    """Put the fixed key where `manage` reads it, as on AWS. Raises StartError for a state of `serve`."""
    if _find(ssm) not in {None, ADMIN_KEY}:
        raise StartError("this is the state of `make serve`; `make up` has public keys: set RUSTBOX_STATE_DIR")
    _put(ssm, ADMIN_KEY)


def ensure(ssm: Any, flush: Callable[[], None]) -> None:
    """Make a key where there is none, and show it when `flush` has returned.

    Raises StartError for a state of `up`, and if the journal would keep the key.
    """
    if _find_own(ssm) is not None:
        return
    if _is_journal(_STDERR):
        raise StartError("there is no administrator's key: run `make admin-key` in a terminal, then start again")
    _make(ssm, flush)


def replace() -> None:
    """`admin-key`: make a new key, also while the stack runs, and show it. Raises StartError, StoreUnusableError."""
    state_dir = read_state_dir(os.environ, production=True)
    lock = None
    with suppress(StartError):  # a stack that runs has prepared the file
        lock = lock_state(state_dir)
    embedded = EmbeddedAws(state_dir, "FULL", prepare=lock is not None)
    embedded.answer_clients()
    ssm = session().client("ssm")
    _find_own(ssm)
    _make(ssm, embedded.engine.store.flush)
    embedded.close()


def _is_journal(descriptor: int) -> bool:
    """Whether systemd connected the descriptor to the journal: JOURNAL_STREAM in systemd.exec(5)."""
    status = os.fstat(descriptor)
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _find(ssm: Any) -> str | None:
    try:
        found: str = ssm.get_parameter(Name=ADMIN_KEY_PARAMETER, WithDecryption=True)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return None
    return found


def _find_own(ssm: Any) -> str | None:
    found = _find(ssm)
    if found == ADMIN_KEY:
        raise StartError("this is a state of `make up`, whose keys are public: set RUSTBOX_STATE_DIR to another folder")
    return found


def _put(ssm: Any, key: str) -> None:
    ssm.put_parameter(Name=ADMIN_KEY_PARAMETER, Value=key, Type="SecureString", Overwrite=True)


def _make(ssm: Any, flush: Callable[[], None]) -> None:
    key = secrets.token_urlsafe(_BYTES)
    _put(ssm, key)
    flush()
    # Not through the console: logs are kept.
    sys.stderr.write(f"rustbox: the administrator's key, shown only now: {key}\n")
    sys.stderr.flush()
