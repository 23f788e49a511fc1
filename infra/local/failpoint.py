"""Lets a test kill a process of the stack at a named step of a handler. Exists only here, in no deployed code."""

import os
import signal

from functions import failpoint


def arm(name: str) -> None:
    """SIGKILL the first process that reaches `name`: of this one and those forked from it, one dies once."""
    token, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    os.write(writer, b"!")
    os.close(writer)

    def die_here(reached: str) -> None:
        if reached == name and os.read(token, 1):
            os.kill(os.getpid(), signal.SIGKILL)

    failpoint.set_hook(die_here)
