"""Exit codes, and the error that ends a command with one of them.

Verdicts of `run` use codes next to those of `timeout(1)`. The other codes come from sysexits.h.
"""

from enum import IntEnum
from typing import IO, Any

import click


class ExitCode(IntEnum):
    """Exit code of a command. `run` exits like the program: 0 for AC, its exit code for RE, 128 + n for signal n."""

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
  0          success; run: the verdict is AC; judge: every case passed
  1          judge: the answer of the first failed case is wrong; its verdict gives the codes below
  1-255      run: the program's own exit code (verdict RE)
  128 + n    run: signal n ended the program (SIG)
  120        run: the program does not compile
  121        run: the platform failed (IE); judge: a checker failed, too
  122 123    run: process limit (PLE), file size limit (FSE)
  124 125    run: time limit (TLE), memory limit (MLE)
  2          invalid command line
  65 66      the service refused the request; not found
  69         the service is unreachable
  70         the service failed
  75         the service is busy, or a quota is used up
  77 78      missing or invalid key; invalid setting
  130        interrupted
A program can exit with any of these codes itself. --json shows the difference."""


class CommandError(click.ClickException):
    """Ends the command with a message and a hint on standard error."""

    def __init__(self, message: str, code: ExitCode, hint: str = "") -> None:
        super().__init__(message)
        self.exit_code = int(code)
        self._hint = hint

    def show(self, file: IO[Any] | None = None) -> None:
        """Print `rustbox: message`, and the hint on the next line."""
        click.echo(f"rustbox: {self.message}", file=file, err=file is None)
        if self._hint:
            click.echo(f"  {self._hint}", file=file, err=file is None)
