"""Start one run through the template: at once, or pre-warmed and given its program later."""

import marshal
import os
import select
import signal
import socket
import time
from contextlib import ExitStack, closing, suppress

from sandbox_runtime.jail.box import Box
from sandbox_runtime.jail.controls.cgroup import Counters, SlotGroups
from sandbox_runtime.jail.controls.own_inodes import open_inputs
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.protocol.wire import (
    DONT_WAIT,
    REQUEST_BYTES,
    START_NETWORK_RUN,
    START_RUN,
    RunRequest,
    files_table,
    inputs_table,
    receive,
    send,
)
from sandbox_runtime.jail.spec import JailSpec
from sandbox_runtime.jail.supervisor.run_io import RunIO
from sandbox_runtime.jail.supervisor.template_process import TemplateProcess

# A pre-warmed run writes its files itself, so they count as the guest's memory. Up to these limits that is too small to
# change a memory verdict. A compiled Go program has 2 MB.
_MOST_PLACED_BYTES, _MEMORY_SHARE = 4 << 20, 32
# A killed init is gone within milliseconds, also with the processes of a guest.
_INIT_END_MS = 1_000
# Fields that a pre-warmed run can no longer change.
_FIXED = ("environment", "limits", "family", "artifact", "artifact_max_bytes")  # `keeps_box`: see `start_program`


def request_of(spec: JailSpec, groups: SlotGroups, *, is_prewarmed: bool) -> RunRequest:
    """Build the request that init and the program's process read."""
    waiting = spec.waiting if is_prewarmed else None
    return RunRequest(
        argv=spec.argv if waiting is None else waiting.argv,
        environment=spec.environment,
        variables=() if is_prewarmed else spec.variables,
        files=() if is_prewarmed else files_table(spec.files),
        inputs=() if is_prewarmed else inputs_table(spec.inputs),
        has_inputs_folder=not is_prewarmed and bool(spec.inputs_folder),
        limits=spec.limits,
        needs_box=spec.needs_box,
        family=spec.family,
        init_entries=len(groups.init_entry_fds),
        program_entries=len(groups.program_entry_fds),
        is_prewarmed=is_prewarmed and waiting is None,
        is_waiting_command=waiting is not None,
    )


def _waiting_command_message(spec: JailSpec, told_words: int) -> bytes:
    """Build the message to a waiting command, see `spec.WaitingCommand`."""
    words = spec.argv[-told_words:] if told_words else ()
    files = [(name, str(size), str(int(executable))) for name, size, executable in files_table(spec.files)]
    texts = [str(len(words)), *words, *(text for file in files for text in file)]
    return b"".join(text.encode() + b"\0" for text in texts)


def _socket_pair(ours: ExitStack, theirs: ExitStack) -> tuple[socket.socket, int]:
    """Make a socket pair. Returns our end and the descriptor number of the other one."""
    mine, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.enter_context(mine)
    return mine, theirs.enter_context(other).fileno()


def _start_message(spec: JailSpec, fds: list[int]) -> tuple[bytes, list[int]]:
    """Build the message to the template, with its descriptors. Raises JailError."""
    if spec.net_namespace is None:
        return START_RUN, fds
    return START_NETWORK_RUN, [*fds, spec.net_namespace]


class Launch:
    """Owns `run_io`, the status socket, init's pidfd, a waiting command's socket and the `box`. Raises JailError.

    Set the limits of the groups before. The template clones the run at once, and the run waits for `send_request`.
    Close it after `await_reaped`, or to give the run up. `start`: the groups' counters at the start.
    `begun_ns`: when a pre-warmed run got its program, else 0.
    """

    def __init__(
        self,
        template: TemplateProcess,
        groups: SlotGroups,
        spec: JailSpec,
        start: Counters,
        run_io: RunIO,
        *,
        is_prewarmed: bool,
    ) -> None:
        """`is_prewarmed`: the program and its input come later, with `start_program`."""
        self.spec, self.start, self.run_io = spec, start, run_io
        self._template, self._groups, self._is_prewarmed = template, groups, is_prewarmed
        self._pidfd = -1
        self._is_reaped = False
        self._command_socket: socket.socket | None = None
        self._is_ready = False
        self.begun_ns = 0
        self.box: Box | None = None
        with ExitStack() as theirs, ExitStack() as ours:
            ours.callback(run_io.close)
            try:
                self.status, status = _socket_pair(ours, theirs)
                # The kernel refuses a message that is larger than the buffer, and gives at most what the host allows.
                self.status.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, REQUEST_BYTES)
                fds = [status, *run_io.streams.as_list(), *groups.init_entry_fds, *groups.program_entry_fds]
                if is_prewarmed and spec.waiting is not None:
                    self._command_socket, command_socket = _socket_pair(ours, theirs)
                    fds.append(command_socket)
                if spec.inputs_folder and not is_prewarmed:
                    fds.append(open_inputs(spec.inputs_folder))
                    theirs.callback(os.close, fds[-1])
            except OSError as error:
                raise JailError("open descriptors", errno=error.errno or 0) from error
            # The groups keep their own descriptors open; these are not ours to close.
            template.send(*_start_message(spec, fds))
            ours.pop_all()
        run_io.close_guest_side()

    def send_request(self) -> None:
        """Write the files and send the request; a pre-warmed run gets no files yet. Raises JailError when it died."""
        if not self._is_prewarmed:
            self.run_io.fill(self.spec)
        request = request_of(self.spec, self._groups, is_prewarmed=self._is_prewarmed).serialise()
        try:
            send(self.status, request)
        except JailError:
            _ = self.pidfd  # if the run could not be started, this raises the template's error
            raise

    def fits(self, spec: JailSpec) -> bool:
        """Whether the pre-warmed run can serve `spec`: all fields are equal except those that `start_program` sends.

        It writes its files itself, in the guest's memory; for other runs init does that, outside the guest's group.
        A waiting command is under all limits from its start, also the file size limit.
        """
        limits = spec.limits
        # It has other streams, another namespace, and no right to make files that belong to root.
        if spec.pipes is not None or spec.net_namespace is not None or spec.inputs:
            return False
        # It was started without the variables, and has not sent its working directory.
        if self._command_socket is not None and (spec.variables or spec.keeps_box):
            return False
        most_bytes = min(_MOST_PLACED_BYTES, limits.memory_bytes // _MEMORY_SHARE)
        if self._command_socket is not None:
            most_bytes = limits.max_file_bytes
        if sum(len(file.content) for file in spec.files) > most_bytes:
            return False
        own = self.spec
        command = (own.argv, spec.argv) if self._command_socket is None else (own.waiting, spec.waiting)
        return command[0] == command[1] and all(getattr(own, name) == getattr(spec, name) for name in _FIXED)

    @property
    def is_ready(self) -> bool:
        """Whether the pre-warmed run can start its program at once. Raises JailError when a waiting command died."""
        if self._command_socket is None:
            return True
        try:
            while receive(self._command_socket, DONT_WAIT)[0]:
                self._is_ready = True
        except BlockingIOError:  # it lives
            return self._is_ready
        raise JailError("get ready", os.path.basename(self.spec.argv[0]), hint="the waiting command ended")

    def start_program(self, spec: JailSpec) -> None:
        """Write the files of `spec`, and tell a pre-warmed run to start it. Raises JailError when the run died."""
        self.run_io.fill(spec)
        self.begun_ns = time.monotonic_ns()
        if self._command_socket is not None and spec.waiting is not None:
            send(self._command_socket, _waiting_command_message(spec, spec.waiting.told_words))
            self._command_socket.close()
        else:
            needs_box = spec.keeps_box and not self.spec.needs_box  # else it was sent before
            send(self.status, marshal.dumps((files_table(spec.files), spec.variables, needs_box)))

    @property
    def pidfd(self) -> int:
        """The pidfd of init. Waits until the template has started it."""
        if self._pidfd < 0:
            _, (self._pidfd,) = self._template.expect("started", descriptors=1)
        return self._pidfd

    def await_reaped(self) -> None:
        """Wait until the template has reaped init."""
        if not self._is_reaped:
            self._template.expect("reaped")
            self._is_reaped = True

    def own_box(self, fd: int | None) -> None:
        """Take the descriptor of the working directory, if the run has sent it."""
        if fd is not None:
            self.box = Box(fd, self.run_io.owner)

    def discard(self) -> None:
        """Kill a pre-warmed run that does not fit the next request."""
        with closing(self):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            self.await_reaped()

    def close(self) -> None:
        """Close the descriptors."""
        if self.box is not None:
            self.box.close()
        self.run_io.close()
        self.status.close()
        if self._command_socket is not None:
            self._command_socket.close()
        if self._pidfd >= 0:
            # If the template died before it reaped init, init may have become our child, as in a container.
            with suppress(ChildProcessError):
                if os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG) is None:
                    # It was killed, and is not gone yet. A pidfd is readable when it is.
                    ended = select.poll()
                    ended.register(self._pidfd, select.POLLIN)
                    ended.poll(_INIT_END_MS)
                    os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
            os.close(self._pidfd)
            self._pidfd = -1
