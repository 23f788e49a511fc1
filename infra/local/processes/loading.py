"""The slow part of a start, before the processes are forked: boto3, the resources, and the functions' imports."""

from __future__ import annotations

import gc
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.local.console import LogStream
from infra.local.invoker import Invoker, load_handlers
from infra.local.metrics import Counters, counter_names
from infra.local.resources import create_resources, session
from infra.local.settings import ADMIN_KEY_PARAMETER
from infra.local.state import ensure_admin_key, require_readable, seed_admin_key
from infra.local.template import Stack, read_stack

if TYPE_CHECKING:
    from infra.local.processes.launcher import Prepared


@dataclass(frozen=True, slots=True)
class Loaded:
    """The shared parts of the processes that run functions."""

    stack: Stack
    invoker: Invoker
    counters: Counters


def load(prepared: Prepared) -> Loaded:
    """Create the resources and import the functions, for all processes that are forked from now on. Raises StartError.

    Starts no thread and keeps no connection, as `prepare`.
    Enables the garbage collector, which the caller may have disabled: there is no garbage, and imports are quicker.
    """
    settings = prepared.settings
    prepared.embedded.answer_clients()
    aws = session()
    ssm = aws.client("ssm")
    from functions import VERSION  # noqa: PLC0415 - see `invoker.load_handlers`

    require_readable(ssm, VERSION)
    create_resources(prepared.template, aws)
    if prepared.direct is not None:
        prepared.direct.store_token(ssm)
    if settings.parameters["AdminKeyParameter"] == ADMIN_KEY_PARAMETER:
        if settings.production:
            ensure_admin_key(ssm, prepared.flush)
        else:
            seed_admin_key(ssm)
    stack = read_stack(prepared.template)
    sys.stdout = LogStream(prepared.console, "function")
    invoker = load_handlers(stack.functions)
    _wait_for_the_disk(prepared)
    if settings.failpoint:
        _arm(settings.failpoint)
    gc.freeze()  # collections in the processes would otherwise copy the pages that they share
    gc.enable()
    return Loaded(stack, invoker, Counters(counter_names(stack), settings.processes))


def _wait_for_the_disk(prepared: Prepared) -> None:
    from functions import durability  # noqa: PLC0415 - see `invoker.load_handlers`

    durability.set_wait(prepared.flush)


def _arm(name: str) -> None:
    """For tests: SIGKILL the first process, and no other, that reaches the step `name` of a handler."""
    from functions import failpoint  # noqa: PLC0415 - see `invoker.load_handlers`

    token, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    os.write(writer, b"!")
    os.close(writer)

    def die_here(reached: str) -> None:
        if reached == name and os.read(token, 1):
            os.kill(os.getpid(), signal.SIGKILL)

    failpoint.set_hook(die_here)
