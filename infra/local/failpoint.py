"""Lets a test kill the launcher at a named step of a handler. Exists only here, in no deployed code."""

import os
import signal

from functions import failpoint


def arm(name: str) -> None:
    """SIGKILL this process when a handler reaches `name`."""

    def die_here(reached: str) -> None:
        if reached == name:
            os.kill(os.getpid(), signal.SIGKILL)

    failpoint.set_hook(die_here)
