"""One run as the supervisor holds it: started by the template, with or without something to run yet."""

import json
import os
import signal
import socket
from contextlib import suppress

from sandbox_runtime.jail.cgroup import Counters, SlotGroups
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import JailSpec
from sandbox_runtime.jail.template_process import TemplateProcess
from sandbox_runtime.jail.wire import START_RUN, RunRequest, Streams, files_table, send


def request_of(spec: JailSpec, groups: SlotGroups, *, is_staged: bool) -> RunRequest:
    """What init is told."""
    return RunRequest(
        argv=spec.argv,
        environment=spec.environment,
        files=() if is_staged else files_table(spec.files),
        limits=spec.limits,
        artifact=spec.artifact,
        artifact_max_bytes=spec.artifact_max_bytes,
        family=spec.family,
        init_entries=len(groups.init_entry_fds),
        program_entries=len(groups.program_entry_fds),
        is_staged=is_staged,
    )


class Launch:
    """Owns the status socket and init's pidfd. `start`: the groups' counters that the run starts from.

    The limits of the groups must be set. Raises JailError. Close it after `reaped`.
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
        self._template = template
        self._pidfd = -1
        self._used: dict[str, int] | None = None
        try:
            self.status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise JailError("open descriptors", errno=error.errno or 0) from error
        try:
            with theirs:
                # The request waits in the socket until init, which is only made by the next message, reads it.
                send(self.status, request_of(spec, groups, is_staged=is_staged).serialise())
                # The groups keep their own descriptors open; these are not ours to close.
                fds = [theirs.fileno(), *streams.as_list(), *groups.init_entry_fds, *groups.program_entry_fds]
                template.send(START_RUN, fds)
        except BaseException:
            self.status.close()
            raise

    def fits(self, spec: JailSpec) -> bool:
        """Whether a staged run may become this one: the same but for what `go` brings."""
        own = self.spec
        return (own.argv, own.environment, own.limits, own.family) == (
            spec.argv,
            spec.environment,
            spec.limits,
            spec.family,
        ) and spec.artifact is None

    def go(self, spec: JailSpec) -> None:
        """Give a staged run what it is to run; its streams are filled. Raises JailError when it died meanwhile."""
        send(self.status, json.dumps(files_table(spec.files)).encode())

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
        """Close both descriptors."""
        self.status.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
