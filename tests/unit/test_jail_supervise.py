"""The end of a run whose program left others behind: init waits to be killed."""

import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from sandbox_runtime.jail.supervisor.deadlines import Deadlines
from sandbox_runtime.jail.supervisor.run_io import Capture
from sandbox_runtime.jail.supervisor.watch import watch
from tests.unit.jail_doubles import LIMITS, NOTHING, Groups

# What the small init writes, see `small_init.c`: how the program ended, whether another lives, when.
_END = struct.Struct("<iiixxxxqq")


@pytest.fixture
def init() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/usr/bin/sleep", "60"]) as process:
        yield process
        process.kill()


def test_the_remaining_processes_are_killed_with_init(init: subprocess.Popen[bytes]) -> None:
    groups = Groups()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pidfd = os.pidfd_open(init.pid)
    captures = []
    for _ in range(2):
        read_end, write_end = os.pipe()
        os.close(write_end)
        captures.append(Capture(read_end))
    with ours, theirs:
        theirs.send(_END.pack(os.CLD_EXITED, 0, 0, 5, 7))
        launch = SimpleNamespace(
            pidfd=pidfd,
            status=ours,
            spec=SimpleNamespace(limits=LIMITS),
            start=NOTHING,
            begun_ns=0,
            own_box=lambda _: None,
        )
        deadlines = Deadlines(groups, LIMITS, NOTHING)
        watched = watch(launch, (captures[0], captures[1]), deadlines, groups, None)  # type: ignore[arg-type] # all of one that is looked at
    os.close(pidfd)
    assert init.wait() == -9
    assert (watched.died, watched.alone, watched.ended) == (*(True, False), {"wait_status": 0, "at_ns": 5_000_000_007})
