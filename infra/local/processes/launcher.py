"""Checks the host, prepares, and keeps the processes of the stack alive until a signal."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from infra.local.console import stdout_console
from infra.local.processes import runner_process
from infra.local.processes.child_processes import Child, ChildProcesses
from infra.local.processes.preparation import prepare
from infra.local.settings import read_settings
from infra.local.start_checks import check_host, listen, lock_state

if TYPE_CHECKING:
    import socket

    from infra.local.processes.preparation import Prepared


def run(*, production: bool) -> int:
    """Run the stack until Ctrl-C or SIGTERM. Returns the exit code. Raises StartError, StoreUnusableError."""
    console = stdout_console(as_json=production)
    settings = read_settings(os.environ, production=production)
    console.calm(is_calm=settings.first_run)  # until the background process has shown it
    check_host()
    with lock_state(settings.state_dir), listen(settings.listen_address, settings.port) as listener:
        return _run(prepare(settings, console), listener)


def _run(prepared: Prepared, listener: socket.socket) -> int:
    runner = runner_process.make_child(prepared)
    runner.start()
    remote = _remote(prepared)
    from infra.local.processes import (  # noqa: PLC0415
        background_process,
        functions_process,
        loading,
    )
    from infra.local.triggers.mappings import Share  # noqa: PLC0415

    loaded = loading.load(prepared)
    functions = [
        Child(
            "rb-functions",
            partial(functions_process.run, prepared, loaded, listener, Share(number, prepared.settings.processes)),
        )
        for number in range(prepared.settings.processes)
    ]
    background = Child("rb-background", partial(background_process.run, prepared, loaded))

    def release() -> None:
        listener.close()
        os.close(prepared.log_writer)

    code = ChildProcesses(functions, [runner, *remote, background], release, prepared.console).run()
    prepared.embedded.close()
    return code


def _remote(prepared: Prepared) -> list[Child]:
    """Listen for runners of other hosts, if the settings say so."""
    chosen = prepared.runner_listener
    if chosen is None:
        return []
    from infra.local.processes import runner_listener_process  # noqa: PLC0415 - few stacks have it

    remote = runner_listener_process.make_child(prepared, chosen, chosen.listen())
    where = chosen.template_parameters["RunnerListener"]
    pin = f", certificate {chosen.fingerprint}" if chosen.fingerprint else ""
    prepared.console.line("stack", f"runners of other hosts join at {where}{pin}")
    return [remote]
