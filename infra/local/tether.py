"""Runs a command that gets SIGTERM when the process that started it dies, however it dies.

`python -m infra.local.tether PARENT_PID COMMAND...`. The tether is set in the child itself and kept over
execve; setting it in a hook between fork and exec would run Python code in a fork of a threaded process.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2); its effect ends with the *thread* that forked: start from the main one


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then become the command."""
    parent_pid, *command = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # Order: only behind the prctl can a parent that is gone already be noticed without a gap.
    if os.getppid() != int(parent_pid):
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
