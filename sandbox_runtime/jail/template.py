"""The process that runs are forked from: single-threaded, started with a clean environment, no secret in its memory.

One per slot. It enters the guest root once, then serves one run at a time: fork into fresh namespaces, tell the
supervisor, wait for init's end. The supervisor's end of file ends it, and with it a run that still goes on.
"""

import json
import os
import select
import signal
import socket
import sys

from sandbox_runtime.jail import init, mounts, syscalls
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.seccomp import Program, build_program
from sandbox_runtime.jail.wire import RunDescriptors, RunRequest, receive, send

# The cgroup namespace is made later, by the program itself: its root is the groups that it has entered by then.
_NAMESPACES = (
    syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
)


def _wait_for_end(channel: socket.socket, pid: int, pidfd: int) -> bool:
    """Reap init. False when the supervisor went away first; the run is killed then."""
    poller = select.poll()
    poller.register(channel, select.POLLIN | select.POLLHUP)
    poller.register(pidfd, select.POLLIN)
    supervised = True
    ready = [fd for fd, _ in poller.poll()]
    if pidfd not in ready:
        supervised = False
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.waitpid(pid, 0)
    return supervised


def _serve_run(
    channel: socket.socket,
    message: bytes,
    fds: list[int],
    uid: int,
    filter_program: Program,
) -> bool:
    request = RunRequest.parse(message)
    descriptors = RunDescriptors.received(request, fds)
    pid, pidfd = syscalls.clone_process(_NAMESPACES)
    if pid == 0:
        channel.close()
        init.run_init(request, descriptors, uid, filter_program)
    # Keep no end of the guest's pipes: the supervisor must see their end of file.
    descriptors.close()
    send(channel, b'{"kind":"started"}', [pidfd])
    supervised = _wait_for_end(channel, pid, pidfd)
    os.close(pidfd)
    if supervised:
        send(channel, b'{"kind":"reaped"}', [])
    return supervised


def main(arguments: str) -> None:
    """`arguments`: JSON of control_fd, uid and binds [[source, target]]."""
    settings = json.loads(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the supervisor's to handle
    channel = socket.socket(fileno=settings["control_fd"])
    channel.set_inheritable(False)
    try:
        filter_program = build_program()
        os.unshare(os.CLONE_NEWNS)
        mounts.enter_guest_root(tuple(mounts.BindMount(source, target) for source, target in settings["binds"]))
        syscalls.drop_bounding_set()
        # A guest that may look at other processes of its own user id finds nothing of ours to read.
        syscalls.prctl("set dumpable", syscalls.PR_SET_DUMPABLE, 0)
        send(channel, b'{"kind":"open"}', [])
        while True:
            message, fds = receive(channel)
            if not message or not _serve_run(channel, message, fds, settings["uid"], filter_program):
                return
    except JailError as error:
        failure = {
            "kind": "failed",
            "step": error.step,
            "target": error.target,
            "errno": error.errno,
            "hint": error.hint,
        }
        send(channel, json.dumps(failure).encode(), [])
        sys.exit(1)
