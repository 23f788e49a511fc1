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
  0          success
  2          invalid command line
  65         the service refused the request
  66         not found
  69         the service is unreachable
  70         the service failed
  75         the service is busy, or a quota is used up
  77         missing or invalid key
  78         invalid setting
  130        interrupted
Exit codes of run, and of judge for the first failed case:
  0          run: the verdict is AC; judge: every case passed
  1          judge: the answer is wrong
  1-255      the program's own exit code (RE)
  128 + n    signal n ended the program (SIG)
  120        the program does not compile
  121        the service could not run the program (IE), or a checker failed
  122        process limit (PLE)
  123        file size limit (FSE)
  124        time limit (TLE)
  125        memory limit (MLE)
A program can exit with any of these codes itself. --json shows the difference."""
EXIT_CODES_HINT = "`rustbox --help` lists the exit codes."


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
