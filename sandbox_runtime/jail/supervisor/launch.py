"""One run as the supervisor holds it: started by the template, with or without something to run yet."""

import marshal
import os
import signal
import socket
import time
from contextlib import ExitStack, suppress

from sandbox_runtime.jail.controls.cgroup import Counters, SlotGroups
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.protocol.wire import (
    DONT_WAIT,
    START_COLLECTING_RUN,
    START_RUN,
    RunRequest,
    Streams,
    files_table,
    receive,
    send,
)
from sandbox_runtime.jail.spec import JailSpec
from sandbox_runtime.jail.supervisor.template_process import TemplateProcess

# Of a guest's memory: what a compiler makes of a program of Go has 2 MB. So little of it that no verdict turns on it.
_MOST_PLACED_BYTES, _MEMORY_SHARE = 4 << 20, 32
# What a staged run cannot change any more.
_FIXED = ("environment", "limits", "family", "artifact", "artifact_max_bytes")


def request_of(spec: JailSpec, groups: SlotGroups, *, is_staged: bool) -> RunRequest:
    """What init is told."""
    waiting = spec.waiting if is_staged else None
    return RunRequest(
        argv=spec.argv if waiting is None else waiting.argv,
        environment=spec.environment,
        files=() if is_staged else files_table(spec.files),
        limits=spec.limits,
        artifact=spec.artifact,
        artifact_max_bytes=spec.artifact_max_bytes,
        family=spec.family,
        init_entries=len(groups.init_entry_fds),
        program_entries=len(groups.program_entry_fds),
        is_staged=is_staged and waiting is None,
        is_fed=waiting is not None,
    )


def _what_to_run(spec: JailSpec, told_words: int) -> bytes:
    """The message to a waiting command."""
    words = spec.argv[-told_words:] if told_words else ()
    files = [(name, str(size), str(int(executable))) for name, size, executable in files_table(spec.files)]
    texts = [str(len(words)), *words, *(text for file in files for text in file)]
    return b"".join(text.encode() + b"\0" for text in texts)


def _socket_pair(ours: ExitStack, theirs: ExitStack) -> tuple[socket.socket, int]:
    """Our end, and the number of theirs."""
    mine, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.enter_context(mine)
    return mine, theirs.enter_context(other).fileno()


class Launch:
    """Owns the status socket, init's pidfd and a waiting command's socket. Raises JailError.

    `start`: the groups' counters that the run starts from. `begun_ns`: no run began before. The limits of the groups
    must be set. The run is cloned at once and waits for `tell`. Close it after `reaped`.
    """

    def __init__(
        self,
        template: TemplateProcess,
        groups: SlotGroups,
        spec: JailSpec,
        start: Counters,
        streams: Streams,
        *,
        is_staged: bool = False,
    ) -> None:
        """`is_staged`: what there is to run comes later, with `go`."""
        self.spec, self.start = spec, start
        self._template, self._groups, self._is_staged = template, groups, is_staged
        self._pidfd = -1
        self._used: dict[str, int] | None = None
        self._feed: socket.socket | None = None
        self._is_ready = False
        self.begun_ns = 0
        with ExitStack() as theirs, ExitStack() as ours:
            try:
                self.status, status = _socket_pair(ours, theirs)
                fds = [status, *streams.as_list(), *groups.init_entry_fds, *groups.program_entry_fds]
                if is_staged and spec.waiting is not None:
                    self._feed, feed = _socket_pair(ours, theirs)
                    fds.append(feed)
            except OSError as error:
                raise JailError("open descriptors", errno=error.errno or 0) from error
            # The groups keep their own descriptors open; these are not ours to close.
            template.send(START_RUN if spec.artifact is None else START_COLLECTING_RUN, fds)
            ours.pop_all()

    def tell(self) -> None:
        """What it is to do; its files must be there, unless it is staged. Raises JailError when it died meanwhile."""
        request = request_of(self.spec, self._groups, is_staged=self._is_staged).serialise()
        try:
            send(self.status, request)
        except JailError:
            _ = self.pidfd  # where it could not be started, the template says why
            raise

    def fits(self, spec: JailSpec) -> bool:
        """Whether a staged run may become this one: the same but for what `go` brings.

        It places the files itself, in its own memory; init, which places those of other runs, lies outside. A waiting
        command is under all limits from its start, that of what it writes among them.
        """
        limits = spec.limits
        room_bytes = min(_MOST_PLACED_BYTES, limits.memory_bytes // _MEMORY_SHARE)
        if self._feed is not None:
            room_bytes = limits.max_file_bytes
        if sum(len(file.content) for file in spec.files) > room_bytes:
            return False
        own = self.spec
        command = (own.argv, spec.argv) if self._feed is None else (own.waiting, spec.waiting)
        return command[0] == command[1] and all(getattr(own, name) == getattr(spec, name) for name in _FIXED)

    @property
    def is_ready(self) -> bool:
        """Whether a staged run would start at once. Raises JailError when a waiting command died."""
        if self._feed is None:
            return True
        try:
            while receive(self._feed, DONT_WAIT)[0]:
                self._is_ready = True
        except BlockingIOError:  # it lives
            return self._is_ready
        raise JailError("get ready", os.path.basename(self.spec.argv[0]), hint="the waiting command ended")

    def go(self, spec: JailSpec) -> None:
        """Give a staged run what it is to run; its streams are filled. Raises JailError when it died meanwhile."""
        self.begun_ns = time.monotonic_ns()
        if self._feed is not None and spec.waiting is not None:
            send(self._feed, _what_to_run(spec, spec.waiting.told_words))
            self._feed.close()
        else:
            send(self.status, marshal.dumps(files_table(spec.files)))

    @property
    def pidfd(self) -> int:
        """Of init. Waits until the template has started it."""
        if self._pidfd < 0:
            _, (self._pidfd,) = self._template.expect("started", descriptors=1)
        return self._pidfd

    def reaped(self) -> dict[str, int]:
        """What init and its children used. Waits until init is dead and reaped by the template."""
        if self._used is None:
            self._used, _ = self._template.expect("reaped")
        return self._used

    def discard(self) -> None:
        """End a staged run that nobody wants."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        self.reaped()
        self.close()

    def close(self) -> None:
        """Close the descriptors."""
        self.status.close()
        if self._feed is not None:
            self._feed.close()
        if self._pidfd >= 0:
            # The template reaps it, unless it died first: then it may have become a child of ours, as in a container.
            with suppress(ChildProcessError):
                os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
            os.close(self._pidfd)
            self._pidfd = -1
