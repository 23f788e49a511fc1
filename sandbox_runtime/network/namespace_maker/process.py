"""The maker's process: for each order a child makes a namespace, opens sockets in it, hands all over, and exits.

The child of the next order waits in a finished namespace, so an order only takes the time to open its sockets.
"""

import json
import os
import socket
from typing import NoReturn

from sandbox_runtime.jail import syscalls
from sandbox_runtime.network.model import POOL
from sandbox_runtime.network.namespace_maker.interface import make_local, raise_lo
from sandbox_runtime.network.namespace_maker.listeners import open_listener

ORDER_BYTES = 1 << 14
MOST_DESCRIPTORS = 64
_CAP_SYS_ADMIN = 21  # on some hosts unshare(2) of a user namespace needs it


def main(channel_fd: int) -> None:
    """Serve orders until the runner closes its end or dies."""
    channel = socket.socket(fileno=channel_fd)
    syscalls.drop_bounding_set()  # before the capability that it needs is gone
    syscalls.keep_capabilities((_CAP_SYS_ADMIN,))
    syscalls.prctl("set no_new_privs", syscalls.PR_SET_NO_NEW_PRIVS, 1)
    while True:
        pid = os.fork()
        if pid == 0:
            _serve_order(channel)
        _, status = os.waitpid(pid, 0)
        if status != 0:  # the end of file, or an order without an answer: our end tells the runner
            return


def _serve_order(channel: socket.socket) -> NoReturn:
    """Make the namespace, wait for the order, answer it. Never returns."""
    exit_code = 1
    try:
        problem, step = _make_namespace()
        order = channel.recv(ORDER_BYTES)
        if order:
            _answer(channel, order, problem, step)
            exit_code = 0
    finally:
        os._exit(exit_code)


def _make_namespace() -> tuple[OSError | None, str]:
    step = "unshare namespaces"
    try:
        # In one call: so the user namespace owns the net namespace.
        os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
        step = "raise lo"
        raise_lo()
        step = "add the route"
        make_local(POOL)
    except OSError as error:
        return error, step
    return None, step


def _answer(channel: socket.socket, order: bytes, problem: OSError | None, step: str) -> None:
    opened: list[socket.socket] = []
    try:
        if problem is not None:
            raise problem
        step = "open listeners"
        opened += [open_listener((kind, address, port)) for kind, address, port in json.loads(order)]
        step = "hand the namespace over"
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        socket.send_fds(channel, [b"{}"], [namespace, *(each.fileno() for each in opened)])
    except OSError as error:
        channel.send(json.dumps({"step": step, "errno": error.errno or 0}).encode())
