"""The administrator's key of one machine in production: made once, and shown only then."""

from __future__ import annotations

import os
import secrets
import sys
from typing import Any

from infra.local.embedded_aws import EmbeddedAws
from infra.local.errors import StartError
from infra.local.preflight import claim_state, lock_state
from infra.local.resources import session
from infra.local.settings import ADMIN_KEY_PARAMETER, read_state_dir

_BYTES = 32


def ensure(ssm: Any) -> str | None:
    """Make the key where there is none. Return it, None where there is one."""
    key = secrets.token_urlsafe(_BYTES)
    try:
        ssm.put_parameter(Name=ADMIN_KEY_PARAMETER, Value=key, Type="SecureString")
    except ssm.exceptions.ParameterAlreadyExists:
        return None
    return key


def replace() -> int:
    """`admin-key`: make a new key, also while the stack runs, and show it. Returns the exit code."""
    try:
        state_dir = read_state_dir(os.environ, production=True)
        try:
            lock = lock_state(state_dir)
        except StartError:  # the stack runs, so the file is prepared
            lock = None
        claim_state(state_dir, "serve")
        EmbeddedAws(state_dir, "FULL", prepare=lock is not None)
    except StartError as error:
        sys.stderr.write(f"rustbox: {error}\n")
        return 1
    key = secrets.token_urlsafe(_BYTES)
    session().client("ssm").put_parameter(Name=ADMIN_KEY_PARAMETER, Value=key, Type="SecureString", Overwrite=True)
    show(key)
    return 0


def show(key: str) -> None:
    """Show a new key: not in the log, which is kept."""
    sys.stderr.write(f"rustbox: the administrator's key, shown only now: {key}\n")
    sys.stderr.flush()
