"""Init, process 1 of a run: make mounts, write files, start the program and report its end.

Init is outside the guest's memory group, so that an out-of-memory kill never hits it.

Init reports the program's raw wait status on the status socket, and whether it is the only process of the namespace.
If it is, it has reaped all others and exits, and the supervisor can answer at once.
Else it stays until the supervisor kills it. The kernel then kills and reaps all processes of the pid namespace,
pid_namespaces(7).
"""

import os
import select
import signal
import time
from collections.abc import Mapping
from contextlib import suppress

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.controls import identity
from sandbox_runtime.jail.controls.seccomp import INIT, Program
from sandbox_runtime.jail.inside import program
from sandbox_runtime.jail.inside.program import set_up
from sandbox_runtime.jail.protocol import (
    FAILURES,
    RunDescriptors,
    Terms,
    read_request,
    report,
    report_failure,
)
from sandbox_runtime.jail.python_fork.fork import PythonFork

_ALL_CHILDREN = 0x4000_0000  # __WALL of linux/wait.h


def _reap() -> None:
    """Reap until init has no child."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, _ALL_CHILDREN)


def _is_alone() -> bool:
    """Whether no other process lives. If so, reap the dead ones. Every orphan of the namespace is a child of init."""
    try:
        os.waitid(os.P_ALL, 0, os.WSTOPPED | os.WNOHANG | os.WNOWAIT | _ALL_CHILDREN)
    except ChildProcessError:
        _reap()
        return True
    return False


def _die_with_template() -> None:
    """Ask the kernel to kill this process when the template dies."""
    syscalls.prctl("set parent death signal", syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def _is_abandoned(status_fd: int) -> bool:
    """Whether the other end of the status socket is closed: template and supervisor died too early for us to notice."""
    return _await_hangup(status_fd, 0)


def _await_hangup(status_fd: int, longest_ms: int | None) -> bool:
    poller = select.poll()
    poller.register(status_fd, 0)
    return bool(poller.poll(longest_ms))


def _close_guest_descriptors(descriptors: RunDescriptors) -> None:
    """Close all but the status socket: open pipe ends would hide the guest's end of file."""
    for fd in (
        *descriptors.streams.as_list(),
        *descriptors.init_entries,
        *descriptors.program_entries,
        *descriptors.command_socket,
        *descriptors.inputs_folder,
    ):
        os.close(fd)


def _wait_for_program(pid: int) -> tuple[int, int]:
    """Reap others until the program ends. Returns its status and the time in ns. Not reaped: see `PendingRefusals`."""
    while True:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | _ALL_CHILDREN)
        if ended is not None and ended.si_pid == pid:
            status = ended.si_status << 8 if ended.si_code == os.CLD_EXITED else ended.si_status
            return status, time.monotonic_ns()
        if ended is not None:
            os.waitpid(ended.si_pid, _ALL_CHILDREN)


def _report_end(status_fd: int, pid: int) -> None:
    """Wait for the program and report its end. Then stay while other processes live."""
    status, ended_ns = _wait_for_program(pid)
    is_alone = _is_alone()
    report(status_fd, kind="ended", wait_status=status, at_ns=ended_ns, is_alone=is_alone)
    if not is_alone:
        with suppress(OSError):  # the report is sent; an error no longer matters
            _await_hangup(status_fd, None)  # until the supervisor kills init


def run_init(fds: list[int], terms: Terms, filters: Mapping[str, Program], fork: PythonFork | None) -> None:
    """Run init. Never returns. `fds`: the status socket, which holds the request, then the other descriptors."""
    status_fd = fds[0]
    try:
        _die_with_template()
        request, descriptors = read_request(fds)
        program.enter_groups(descriptors.init_entries)
        set_up(request, descriptors, terms)
        pid, pidfd = syscalls.clone_process()
        if pid == 0:
            program.become_program(request, descriptors, terms, filters[request.family], fork)
        # Process 1 gets no signal from its namespace without a handler, and the interpreter has installed one here.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.close(pidfd)
        _close_guest_descriptors(descriptors)
        identity.become_init(terms.uid)
        _die_with_template()  # a change of identity cleared it, prctl(2)
        if _is_abandoned(status_fd):
            return
        # From here on init does little more than wait: see [init] in the policy before adding a call below.
        filters[INIT].load()
        _report_end(status_fd, pid)
    except FAILURES as error:
        report_failure(status_fd, error, "set up the run")
    finally:
        os._exit(0)
