"""The template: the process from which a slot's runs are forked. Single-threaded, clean environment, no secrets.

It enters the guest root once. Then it serves one run at a time: fork into new namespaces, report to the supervisor,
wait for init. When the supervisor closes its socket, the template kills its run and exits.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.controls import mounts
from sandbox_runtime.jail.controls.seccomp import Program, build_programs
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.evidence import own_filters, own_namespaces
from sandbox_runtime.jail.inside import init, small_init
from sandbox_runtime.jail.inside.program import become_program_of_small_init, forget_inherited
from sandbox_runtime.jail.inside.small_init import SmallInit
from sandbox_runtime.jail.protocol import INIT_ENTRY_AT, START_NETWORK_RUN, START_RUN, STATUS_AT, Terms, receive, send
from sandbox_runtime.jail.python_fork.fork import PythonFork

# Create the next run's namespaces in advance: the template enters them, and the run's fork inherits them.
#
# A net namespace is the most expensive part of a run's clone, and does not depend on the run. The clone still makes
# the pid and mount namespaces: the first one needs a new process, the second one differs for each run. The template
# shares nothing with a run through these namespaces: it has no named socket, shared memory or queue there.

_PREPARED = os.CLONE_NEWNET | os.CLONE_NEWIPC | os.CLONE_NEWUTS
# The cgroup namespace is made later, by the program itself: its root is the groups that it has entered by then.
_ALL = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS | _PREPARED


class NextNamespaces:
    """Use it in the template: `make` before each run, then `flags` once. No two runs share namespaces."""

    def __init__(self) -> None:
        self._are_made = False

    def make(self) -> None:
        """Enter new namespaces. The last run must be dead. After a refusal the next clone tries, and reports it."""
        try:
            os.unshare(_PREPARED)
        except OSError:
            self._are_made = False
        else:
            self._are_made = True

    def flags(self) -> int:
        """Flags of clone(2) for one run: the namespaces that `make` has not made."""
        are_made, self._are_made = self._are_made, False
        return _ALL & ~_PREPARED if are_made else _ALL

    @staticmethod
    def enter_network(namespace: int, flags: int) -> int:
        """Enter a net namespace that was made elsewhere, and close its descriptor. Raises JailError.

        Returns `flags` without the net namespace, because the clone inherits this one. The next `make` leaves it.
        """
        try:
            os.setns(namespace, os.CLONE_NEWNET)
        except OSError as error:
            raise JailError("enter the net namespace", errno=error.errno or 0) from error
        finally:
            os.close(namespace)
        return flags & ~os.CLONE_NEWNET


_START_MESSAGES = frozenset({START_RUN, START_NETWORK_RUN})


def _wait_for_end(channel: socket.socket, pid: int, pidfd: int) -> bool:
    """Reap init. False: the supervisor is gone, and we killed the run."""
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
    fds: list[int],
    terms: Terms,
    filters: Mapping[str, Program],
    fork: PythonFork | None,
    small: SmallInit | None,
    namespaces: int,
) -> bool:
    """Serve one run without reading its data. False: the supervisor is gone.

    `small`: the small init, if the slot has it. `namespaces`: flags of clone(2).
    """
    if len(fds) <= INIT_ENTRY_AT:
        small = None  # `init` reports the missing descriptors
    if small is None:
        pid, pidfd = syscalls.clone_process(namespaces)
    else:
        pid, pidfd = small.start(namespaces, fds[STATUS_AT], fds[INIT_ENTRY_AT])
    if pid == 0:
        os.close(channel.fileno())  # `close` would write to more pages
        if small is None:
            init.run_init(fds, terms, filters, fork)
        else:
            become_program_of_small_init(small, fds, terms, filters, fork)
    # Keep no end of the guest's pipes: the supervisor must see their end of file.
    for fd in fds:
        os.close(fd)
    send(channel, b'{"kind":"started"}', [pidfd])
    supervised = _wait_for_end(channel, pid, pidfd)
    os.close(pidfd)
    if supervised:
        send(channel, b'{"kind":"reaped"}')
    return supervised


def _serve(
    channel: socket.socket,
    terms: Terms,
    filters: Mapping[str, Program],
    fork: PythonFork | None,
    small: SmallInit | None,
) -> None:
    """Serve one run after the other, until the supervisor is gone."""
    next_namespaces = NextNamespaces()
    for number in count():
        if fork is not None:
            fork.before_run(number)
        next_namespaces.make()
        message, fds = receive(channel)
        if not message:
            return
        if message not in _START_MESSAGES or not fds:
            _refuse(channel, fds)
            continue
        flags = next_namespaces.flags()
        if message == START_NETWORK_RUN:
            flags = next_namespaces.enter_network(fds.pop(), flags)
        if not _serve_run(channel, fds, terms, filters, fork, small, flags):
            return


def _refuse(channel: socket.socket, fds: list[int]) -> None:
    """Answer an unknown message with an error. Nothing was started."""
    for fd in fds:
        os.close(fd)
    _send_failure(channel, JailError("read request", hint="unknown message; restart the runner after an update"))


def _send_failure(channel: socket.socket, error: JailError) -> None:
    with contextlib.suppress(JailError):  # the supervisor has closed its end
        send(channel, json.dumps({"kind": "failed", **error.facts}).encode())


def _enter_root(terms: Terms, executable: bytes) -> tuple[Terms, int | None]:
    """Leave the host's file system for good.

    Returns the terms with our own namespaces and filters, and a descriptor of `executable`.
    """
    try:
        os.unshare(os.CLONE_NEWNS)
    except OSError as error:
        raise JailError("unshare mounts", "", error.errno or 0, "needs root with CAP_SYS_ADMIN") from error
    # After the pivot there is no /proc to read them from.
    outer = (*terms.outer_namespaces, own_namespaces())
    terms = replace(terms, outer_namespaces=outer, outer_filters=own_filters())
    return terms, mounts.enter_guest_root(terms.binds, executable)


def main(arguments: str, guests_path: Sequence[str] = (), collapse: Callable[[], object] = lambda: None) -> None:
    """Run the template. `arguments`: of `Terms.parse`. `guests_path`: `sys.path` of a script, without its directory.

    `collapse`: of `huge_pages.ArenasInHeap`.
    """
    terms = Terms.parse(arguments)
    channel = socket.socket(fileno=terms.control_fd)
    channel.set_inheritable(False)
    directories_of_host = {path for path in guests_path if os.path.isdir(path)}
    try:
        forget_inherited()
        filters = build_programs()
        built = small_init.load(terms.small_init)
        terms, executable_fd = _enter_root(terms, built.executable if built else b"")
        syscalls.drop_bounding_set()
        # Not dumpable: no guest may read the memory of our processes, even with the same user id.
        syscalls.prctl("set dumpable", syscalls.PR_SET_DUMPABLE, 0)
        small = None if built is None or executable_fd is None else SmallInit(built, executable_fd, terms.uid)
        fork = None
        if terms.warm is not None:
            # An interpreter leaves out missing directories, here those outside the guest root, such as /usr/local.
            seen = [entry for entry in guests_path if entry not in directories_of_host or os.path.isdir(entry)]
            fork = PythonFork(terms.warm, mounts.WORKING_DIRECTORY, seen, collapse)
            if terms.warm.setup:
                fork.share_memory()  # takes long: before anybody waits for a run
        send(channel, b'{"kind":"open"}')
        if fork is not None and terms.warm is not None and not terms.warm.setup:
            fork.share_memory()
        _serve(channel, terms, filters, fork, small)
    except JailError as error:
        _send_failure(channel, error)
        sys.exit(1)
