"""Start of the process."""

import json
import os
import signal
import socket

import dns.rdata

from sandbox_runtime.network.proxy import messages
from sandbox_runtime.network.proxy.process.addresses import Routes
from sandbox_runtime.network.proxy.process.confinement import confine
from sandbox_runtime.network.proxy.process.look_up import system_resolvers
from sandbox_runtime.network.proxy.process.run import Outside
from sandbox_runtime.network.proxy.process.server import Server

_FDS_OF_PROCESS, _FDS_BESIDE_CONNECTIONS = 32, messages.MAX_FDS


def main(control_fd: int) -> None:
    """Serve until the runner closes its end."""
    # A terminal's ^C goes to the whole session. The runner says when the process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_blocking(2, False)  # nobody reads the errors while the process lives
    control = socket.socket(fileno=control_fd)
    first = json.loads(control.recv(messages.MAX_MESSAGE_BYTES))
    settings = messages.settings_from(first)
    dns.rdata.load_all_types()  # type: ignore[no-untyped-call]  # no module can be imported later
    outside = Outside(settings, settings.resolvers or system_resolvers(), Routes())
    max_fds = confine(first["uid"], first["entry_fds"])
    # A connection has two sockets, and may have one more of a look-up.
    of_run = 3 * settings.limits.open_connections + _FDS_BESIDE_CONNECTIONS
    server = Server(control, outside, max_runs=min(settings.runs, (max_fds - _FDS_OF_PROCESS) // of_run))
    messages.send(control, {"ready": True})
    server.serve()
    os._exit(0)  # nothing is left to do, and the end of an interpreter takes 0.3 s
