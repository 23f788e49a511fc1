"""Exit codes of the commands, and the error that carries one. Those of `run` are the same as those of `rustbox run`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from events.vocabulary import Cause
from sandbox_runtime.jail import NEEDS_ROOT

if TYPE_CHECKING:
    from events.completed import Result

UNHEALTHY = 1  # health checks of containers may only return 0 and 1
USAGE = 2
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h
COMPILE_FAILED = 120
PLATFORM_FAILURE = 121
PROCESS_LIMIT = 122
FILE_SIZE_LIMIT = 123
TIME_LIMIT = 124
MEMORY_LIMIT = 125
SIGNAL_BASE = 128

DESCRIPTION = f"""\
exit codes:
  the program's own   it exited (AC, RE)
  128 + n             signal n ended it (SIG)
  {COMPILE_FAILED}                 it does not compile
  {PLATFORM_FAILURE}                 the sandbox failed or cannot work on this host (IE)
  {PROCESS_LIMIT}                 process limit (PLE)
  {FILE_SIZE_LIMIT}                 file size limit (FSE)
  {TIME_LIMIT}                 CPU or wall time limit (TLE)
  {MEMORY_LIMIT}                 memory limit (MLE)
  {USAGE}                   wrong arguments
  {TRY_AGAIN}                  the host was too busy to start a worker
"""

_BY_VERDICT = {
    "TLE": TIME_LIMIT,
    "MLE": MEMORY_LIMIT,
    "PLE": PROCESS_LIMIT,
    "FSE": FILE_SIZE_LIMIT,
    "IE": PLATFORM_FAILURE,
}


def of_result(result: Result) -> int:
    """Return the exit code of `run` for a result."""
    if result.cause == Cause.CE_COMPILE_FAILED:
        return COMPILE_FAILED
    if result.verdict in _BY_VERDICT:
        return _BY_VERDICT[result.verdict]
    return PLATFORM_FAILURE if result.exit_code is None else result.exit_code


# The error of the commands: a sentence for the user and an exit code.


class CommandError(Exception):
    """Print `message` as one line and exit with `exit_code`."""

    def __init__(self, exit_code: int, message: str) -> None:
        self.exit_code = exit_code
        super().__init__(message)


def require_root() -> None:
    """Raise CommandError without root: nothing runs then."""
    if os.geteuid() != 0:
        raise CommandError(PLATFORM_FAILURE, NEEDS_ROOT)
