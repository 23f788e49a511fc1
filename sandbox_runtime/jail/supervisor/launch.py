"""Start the template process of a slot, and one run through it: at once, or pre-warmed and given its program later."""

import contextlib
import errno
import json
import marshal
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from sandbox_runtime.jail.box import Box
from sandbox_runtime.jail.controls.cgroup import Counters, SlotGroups
from sandbox_runtime.jail.controls.own_inodes import open_inputs
from sandbox_runtime.jail.errors import JailError, TransientJailError
from sandbox_runtime.jail.protocol import (
    DONT_WAIT,
    REQUEST_BYTES,
    START_NETWORK_RUN,
    START_RUN,
    RunRequest,
    Terms,
    files_table,
    inputs_table,
    receive,
    send,
)
from sandbox_runtime.jail.python_fork import template_command
from sandbox_runtime.jail.spec import JailSpec
from sandbox_runtime.jail.supervisor.deadlines import SETUP_TIMEOUT
from sandbox_runtime.jail.supervisor.run_io import RunIO, sealed_file

# Start the template process of a slot, exchange messages with it, and end it.

_PROJECT_ROOT = Path(__file__).parents[3]
_ERROR_BYTES = 4096
_REAP_SECS = 1.0
# A `WarmStart.setup` imports for seconds, and on a busy host for minutes. No client waits for it.
_IMPORT_SECS = 300.0


class TemplateProcess:
    """Owns the process and the control socket. Raises JailError.

    `code`: Python code that the process executes; it can use the names ROOT, TERMS and PATH.
    `make_terms`: gets the number of the control descriptor.
    """

    def __init__(self, code: str, make_terms: Callable[[int], Terms]) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = -1
        try:
            self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise JailError("start template", errno=error.errno or 0) from error
        self.channel.settimeout(SETUP_TIMEOUT.secs)
        try:
            with theirs:
                terms = make_terms(theirs.fileno())
                send(self.channel, f"ROOT, TERMS = {str(_PROJECT_ROOT)!r}, {terms.serialise()!r}\n{code}".encode())
                self._start(terms, theirs)
        except OSError as error:
            self.close()
            raise JailError("start template", errno=error.errno or 0) from error
        except BaseException:
            self.close()
            raise

    def _start(self, terms: Terms, theirs: socket.socket) -> None:
        with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
            command, environment = template_command(terms.warm, terms.control_fd, Path(directory), str(_PROJECT_ROOT))
            # The same kinds of files as a guest's streams, because an interpreter checks them when it starts.
            stdin = sealed_file("stdin", b"")
            stack.callback(os.close, stdin)
            self._errors, output = os.pipe2(os.O_CLOEXEC)
            stack.callback(os.close, output)
            self._process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=directory,
                pass_fds=(terms.control_fd,),
                start_new_session=True,
            )
            theirs.close()  # only the template holds this end now: if it dies, we see the end of file
            if terms.warm is not None and terms.warm.setup:
                self.channel.settimeout(max(SETUP_TIMEOUT.secs, _IMPORT_SECS))
            self.expect("open")  # it has entered its root
            self.channel.settimeout(SETUP_TIMEOUT.secs)

    @property
    def pid(self) -> int:
        if self._process is None:
            raise JailError("talk to the template", hint="it was never started")
        return self._process.pid

    def send(self, message: bytes, fds: Sequence[int]) -> None:
        try:
            send(self.channel, message, fds)
        except JailError as error:
            if error.errno != errno.EPIPE:
                raise
            raise self._ended("gone") from error

    def expect(self, kind: str, descriptors: int = 0) -> tuple[dict[str, Any], list[int]]:
        """Receive the template's next message, which must be of this kind with so many descriptors."""
        message, fds = receive(self.channel)
        report: dict[str, Any] = json.loads(message) if message else {"kind": "gone"}
        if report["kind"] == kind and len(fds) == descriptors:
            return report, fds
        for fd in fds:
            os.close(fd)
        if report["kind"] == "failed":
            raise JailError(report["step"], report["target"], report["errno"], report["hint"])
        raise self._ended(report["kind"])

    def _ended(self, kind: str) -> JailError:
        hint = f"the template ended{self._last_errors()}"  # first: another thread may be closing its pipe
        error = TransientJailError if self._was_killed() else JailError
        return error("talk to the template", kind, hint=hint)

    def _was_killed(self) -> bool:
        """Tell whether SIGKILL ended the process, as the kernel does for want of memory."""
        if self._process is None:
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP_SECS)  # its channel has just closed
        return self._process.returncode == -signal.SIGKILL

    def _last_errors(self) -> str:
        os.set_blocking(self._errors, False)
        with contextlib.suppress(BlockingIOError):
            lines = os.read(self._errors, _ERROR_BYTES).decode(errors="replace").split("\n")
            return ": " + "".join(line for line in lines if line)[-200:]
        return ""

    def close(self) -> None:
        """End the process and its run. Takes a bounded time."""
        # Another thread may be waiting on this descriptor. It must see the end before the number can be reused.
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)
        if self._process is not None:
            _end(self._process)
        self.channel.close()
        errors, self._errors = self._errors, -1
        if errors >= 0:
            os.close(errors)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process exits at end of file; kill it after SETUP_TIMEOUT. Gives up if SIGKILL does not end it."""
    try:
        process.wait(timeout=SETUP_TIMEOUT.secs)
    except subprocess.TimeoutExpired:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=SETUP_TIMEOUT.secs)


# Start one run through the template: at once, or pre-warmed and given its program later.

# A pre-warmed run writes its files itself, so they count as the guest's memory. Up to these limits that is too small to
# change a memory verdict. A compiled Go program has 2 MB.
_MOST_PLACED_BYTES, _MEMORY_SHARE = 4 << 20, 32
# A killed init is gone within milliseconds, also with the processes of a guest.
_INIT_END_MS = 1_000
# Fields that a pre-warmed run can no longer change.
_FIXED = ("environment", "family", "artifact", "artifact_max_bytes")  # `keeps_box`: see `start_program`


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
        if command[0] != command[1] or own.limits.of_set_up != limits.of_set_up:
            return False
        return all(getattr(own, name) == getattr(spec, name) for name in _FIXED)

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
        if self.box is not None:
            self.box.close()
        self.run_io.close()
        self.status.close()
        if self._command_socket is not None:
            self._command_socket.close()
        pidfd, self._pidfd = self._pidfd, -1
        if pidfd >= 0:
            # If the template died before it reaped init, init may have become our child, as in a container.
            with suppress(ChildProcessError):
                if os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG) is None:
                    # It was killed, and is not gone yet. A pidfd is readable when it is.
                    ended = select.poll()
                    ended.register(pidfd, select.POLLIN)
                    ended.poll(_INIT_END_MS)
                    os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
            os.close(pidfd)
