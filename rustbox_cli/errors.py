"""Exit codes, and the errors that end a command with one of them.

Those of `run` beside a program's own lie around the one of `timeout(1)`; the others are those of sysexits.h.
"""

from enum import IntEnum
from typing import IO, Any

import click


class ExitCode(IntEnum):
    """How a command ends. `run` ends as the program did: 0 for AC, its exit code for RE, 128 + n for signal n."""

    OK = 0
    USAGE = 2
    REFUSED = 65
    NOT_FOUND = 66
    UNREACHABLE = 69
    FAULT = 70
    BUSY = 75
    NO_PERMISSION = 77
    CONFIGURATION = 78
    COMPILE_ERROR = 120
    PLATFORM_FAILURE = 121  # IE
    PROCESS_LIMIT = 122  # PLE
    FILE_SIZE_LIMIT = 123  # FSE
    TIME_LIMIT = 124  # TLE
    MEMORY_LIMIT = 125  # MLE
    INTERRUPTED = 130


EXIT_CODES = """\b
Exit codes:
  0          done; of run: the verdict is AC
  1-255      of run: the program's own exit code (verdict RE)
  128 + n    of run: signal n ended the program (SIG)
  120        of run: the program does not compile
  121        of run: the platform failed (IE)
  122 123    of run: limit of processes (PLE), of file size (FSE)
  124 125    of run: limit of time (TLE), of memory (MLE)
  2          the command line is wrong
  65 66      the service refuses the request; there is no such thing
  69         the service cannot be reached
  70         a fault of the service
  75         it is too busy, or a quota is used up
  77 78      the key is missing or not good; a setting is wrong
  130        interrupted
A program may end with any of these codes itself: --json tells them apart."""


class CommandError(click.ClickException):
    """Ends the command: one sentence on standard error, and what to do about it."""

    def __init__(self, message: str, code: ExitCode, hint: str = "") -> None:
        super().__init__(message)
        self.exit_code = int(code)
        self._hint = hint

    def show(self, file: IO[Any] | None = None) -> None:
        """Write it as other commands do: `rustbox: message`."""
        click.echo(f"rustbox: {self.message}", file=file, err=file is None)
        if self._hint:
            click.echo(f"  {self._hint}", file=file, err=file is None)
