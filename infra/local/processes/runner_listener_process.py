"""The process that serves runners of other hosts, if RUSTBOX_RUNNER_LISTEN is set."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from infra.local.processes.child_processes import Child, unblock_signals
from infra.local.processes.runner_process import work_variables
from infra.local.runners.listener import RunnerListener, inheritable
from infra.local.runners.listener_process import Settings
from infra.local.settings import ROOT
from sandbox_runtime import RUNNER_VERSION

if TYPE_CHECKING:
    import socket

    from infra.local.processes.preparation import Prepared

_STOP_SECS = 10.0


def make_child(prepared: Prepared, chosen: RunnerListener, listener: socket.socket) -> Child:
    """Return the process. `listener` stays open in the launcher: connections wait while it is replaced."""
    embedded, spool = prepared.embedded, prepared.settings.state_dir / "remote-objects"
    spool.mkdir(mode=0o700, exist_ok=True)

    def run(_drained: int) -> int:
        settings = Settings(
            descriptor=inheritable(listener),
            certificate_file=chosen.certificate_file,
            key_file=chosen.key_file,
            engine_socket=str(embedded.remote_socket_path),
            tokens_socket=str(embedded.tokens_socket_path),
            tokens_table=prepared.template.values["RunnersTable"]["Ref"],
            spool=str(spool),
            version=RUNNER_VERSION,
            variables=work_variables(prepared.template),
        )
        nothing, log = os.open(os.devnull, os.O_RDONLY), prepared.log_writer
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.chdir(ROOT)
        unblock_signals()
        command = [sys.executable, "-m", "infra.local.runners.listener_process"]
        environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), **settings.environment()}
        os.execve(command[0], command, environment)  # noqa: S606 - no shell is wanted

    return Child("rb-runners", run, stop_secs=_STOP_SECS)
