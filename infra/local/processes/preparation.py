"""The parts that the runner needs: template, engine and socket. The runner starts slowest, so it starts first."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.local.aws.embedded_aws import EmbeddedAws, set_aside_old_state
from infra.local.declarations.stack import refuse_unknown_types
from infra.local.declarations.translation import translate
from infra.local.direct_path import LocalDirectPath, choose
from infra.local.runners import listener
from infra.local.settings import ROOT, LocalSettings
from infra.local.start_checks import check_stage, check_toolchains

if TYPE_CHECKING:
    from infra.local.console import Console
    from infra.local.declarations.template import Template
    from infra.local.runners.listener import RunnerListener


@dataclass(frozen=True, slots=True)
class Prepared:
    """The shared parts of every process of the stack.

    `log_reader`, `log_writer`: the pipe from the runner to the background process. Both may be replaced, so the
    launcher keeps both ends open. All others close the writer, so that the reader sees the runner's end.
    `began_ms`: heartbeats that are older come from a runner that has ended.
    """

    settings: LocalSettings
    console: Console
    template: Template
    embedded: EmbeddedAws
    direct: LocalDirectPath | None
    runner_listener: RunnerListener | None
    log_reader: int
    log_writer: int
    began_ms: int

    def flush(self) -> None:
        """Return when everything that was written until now is on the disk."""
        self.embedded.engine.store.flush()


def prepare(settings: LocalSettings, console: Console) -> Prepared:
    """Prepare the parts, without threads or open connections: processes are forked later.

    Raises StartError, StoreUnusableError.
    """
    direct = choose(settings.parameters)
    runner_listener = listener.choose(os.environ, settings.state_dir) if settings.production else None
    parameters = settings.parameters
    for part in (direct, runner_listener):
        parameters = parameters if part is None else parameters | part.template_parameters
    template = translate(ROOT / "template.yaml", parameters)
    refuse_unknown_types(template)
    check_stage(template.parameters)
    check_toolchains(template.parameters["OfferedLanguages"])
    embedded = _start_aws(settings, console)
    embedded.open_runner_socket(template)
    if runner_listener is not None:
        embedded.open_remote_sockets(template)
    began_ms = time.time_ns() // 1_000_000
    return Prepared(settings, console, template, embedded, direct, runner_listener, *os.pipe(), began_ms)


def _start_aws(settings: LocalSettings, console: Console) -> EmbeddedAws:
    if (folder := set_aside_old_state(settings.state_dir)) is not None:
        text = f"the state of an older version is now in {folder}; this version does not read it"
        console.line("stack", text, "warning")
    embedded = EmbeddedAws(settings.state_dir, settings.synchronous)
    if dropped := embedded.engine.dropped_frames:
        text = f"{dropped} frames of the database's log were damaged and dropped: the writes in them are lost"
        console.line("stack", f"{text}. A loss of power leaves such frames, and a disk that fails", "warning")
    return embedded
