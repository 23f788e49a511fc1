"""Checks the host, prepares, and keeps the processes of the stack alive until a signal."""

from __future__ import annotations

import os
import sys
from functools import partial

from infra.local import background_process, functions_process
from infra.local.child_processes import Child, ChildProcesses
from infra.local.console import stdout_console
from infra.local.errors import StartError
from infra.local.mappings import Share
from infra.local.preflight import check_host, listen, lock_state
from infra.local.preparation import prepare
from infra.local.settings import read_settings


def run(*, production: bool) -> int:
    """Run the stack until Ctrl-C or SIGTERM. Returns the exit code."""
    console = stdout_console(as_json=production)
    try:
        settings = read_settings(os.environ, production=production)
        check_host()
        with lock_state(settings.state_dir), listen(settings.listen_address, settings.port) as listener:
            prepared = prepare(settings, console)
            functions = [
                Child(
                    "rb-functions",
                    partial(functions_process.run, prepared, listener, Share(number, settings.processes)),
                )
                for number in range(settings.processes)
            ]
            background = Child("rb-background", partial(background_process.run, prepared))
            return ChildProcesses(functions, background, listener.close, console).run()
    except StartError as error:
        sys.stderr.write(f"rustbox: {error}\n")
        return 1
