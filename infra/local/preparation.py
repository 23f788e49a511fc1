"""What a start does before the stack has processes: template, engine, resources, and the functions' imports."""

from __future__ import annotations

import gc
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.local import admin_key
from infra.local.aws_environment import prepare_for_server
from infra.local.console import Console, LogStream
from infra.local.direct_path import LocalDirectPath, choose
from infra.local.embedded_aws import EmbeddedAws, set_aside_old_state
from infra.local.invoker import Invoker, load
from infra.local.metrics import Counters, counter_names
from infra.local.preflight import check_stage, check_toolchains
from infra.local.resources import create_resources, session
from infra.local.runner_process import LogPipe
from infra.local.settings import ADMIN_KEY_PARAMETER, ROOT, LocalSettings
from infra.local.stack import Stack, read_stack, refuse_unknown_types
from infra.local.template import Template, translate

if TYPE_CHECKING:
    from infra.local.intrinsics import Resolver


@dataclass(frozen=True, slots=True)
class Prepared:
    """What every process of the stack starts from. `embedded`: None with an AWS server of the user.

    `began_ms`: heartbeats that are older come from a runner that has ended.
    """

    settings: LocalSettings
    console: Console
    template: Template
    resolver: Resolver
    stack: Stack
    embedded: EmbeddedAws | None
    direct: LocalDirectPath | None
    counters: Counters
    runner_log: LogPipe
    began_ms: int


def prepare(settings: LocalSettings, console: Console) -> Prepared:
    """Start no thread, and keep no connection: processes are forked from this one. Raises StartError."""
    direct = choose(settings.parameters)
    parameters = settings.parameters if direct is None else settings.parameters | direct.template_parameters
    template = translate(ROOT / "template.yaml", parameters)
    refuse_unknown_types(template)
    check_stage(template.parameters)
    check_toolchains(template.parameters["OfferedLanguages"])
    embedded = _start_aws(settings, console)
    aws = session()
    resolver, ssm = create_resources(template, aws), aws.client("ssm")
    if direct is not None:
        direct.store_token(ssm)
    if settings.parameters["AdminKeyParameter"] == ADMIN_KEY_PARAMETER:
        if settings.production:
            admin_key.ensure(ssm)
        else:
            admin_key.seed(ssm)
    if embedded is not None:
        embedded.open_runner_socket(template, resolver)
    stack = read_stack(template, resolver)
    counters = Counters(counter_names(stack), settings.processes)
    began_ms = time.time_ns() // 1_000_000
    return Prepared(settings, console, template, resolver, stack, embedded, direct, counters, LogPipe(), began_ms)


def load_functions(prepared: Prepared) -> Invoker:
    """Import the functions, for all processes that are forked from now on. Raises StartError.

    Enables the garbage collector, which the caller may have disabled: there is no garbage, and imports are quicker.
    """
    sys.stdout = LogStream(prepared.console, "function")
    invoker = load(prepared.stack.functions)
    if prepared.settings.failpoint:
        from infra.local.failpoint import arm  # noqa: PLC0415 - imports functions, see `invoker.load`

        arm(prepared.settings.failpoint)
    gc.freeze()  # collections in the processes would otherwise copy the pages that they share
    gc.enable()
    return invoker


def _start_aws(settings: LocalSettings, console: Console) -> EmbeddedAws | None:
    """Return the embedded engine, None where the user has an AWS server."""
    if settings.endpoint_url is not None:
        prepare_for_server(settings.endpoint_url)
        console.line("stack", f"uses the AWS server at {settings.endpoint_url}")
        return None
    if (folder := set_aside_old_state(settings.state_dir)) is not None:
        text = f"the state of an older version is now in {folder}; this version does not read it"
        console.line("stack", text, "warning")
    return EmbeddedAws(settings.state_dir, settings.synchronous)
