"""Observations of one run from outside: the reports of init and of the program's process, and init's death."""

import errno
import json
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.protocol.wire import DONT_WAIT, receive
from sandbox_runtime.jail.spec import StopReason

_END = struct.Struct("<iiixxxxqq")


@dataclass(slots=True)
class Observation:
    """Observations so far. `ready`, `ended`: the reports, None until they arrive.

    `alone`: init is the only process of the namespace. `died`: init is dead. `cannot_be_killed`: a process outlived its
    kill by SETUP_TIMEOUT. `cpu_wait_usec`: as in `Outcome`.
    `begun_ns`: when a pre-warmed run got its program; earlier times do not count as the guest's.
    """

    begun_ns: int = 0
    stop_reason: StopReason = StopReason.NONE
    ready: dict[str, Any] | None = None
    ended: dict[str, Any] | None = None
    alone: bool = False
    died: bool = False
    cannot_be_killed: bool = False
    cpu_wait_usec: int = 0
    box_fds: list[int] = field(default_factory=list)

    def read_report(self, status: socket.socket) -> bool:
        """Read one report. False: end of file, or no report yet. Raises JailError for a report of failure."""
        try:
            message, fds = receive(status, DONT_WAIT)
        except BlockingIOError:
            return False
        if not message:
            return False
        if not message.startswith(b"{"):
            self._read_end(message)
            return True
        report = json.loads(message)
        self.box_fds.extend(fds)
        if report["kind"] == "failed":
            raise JailError(report["step"], report["target"], report["errno"], report["hint"])
        if report["kind"] == "ready":
            self.ready = report | {"at_ns": max(report["at_ns"], self.begun_ns)}
        elif report["kind"] == "ended":
            self.ended, self.alone = report, report["is_alone"]
        return True

    def _read_end(self, message: bytes) -> None:
        """Parse the report of the small init, see `small_init.c`. Raises JailError for another size."""
        if len(message) != _END.size:
            raise JailError("read report", hint="unexpected size; prepare the toolchains again")
        code, number, look, secs, ns = _END.unpack(message)
        self.alone = look == -errno.ECHILD
        wait_status = number << 8 if code == os.CLD_EXITED else number
        self.ended = {"wait_status": wait_status, "at_ns": secs * 1_000_000_000 + ns}

    @property
    def is_over(self) -> bool:
        """Whether all processes of the guest are dead."""
        return self.died or (self.ended is not None and self.alone)

    def take_box_fd(self) -> int | None:
        """Hand out the descriptor of the working directory, once. The caller owns it."""
        return self.box_fds.pop() if self.box_fds else None
