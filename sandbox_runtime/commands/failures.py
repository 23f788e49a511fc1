"""The error of the commands: a sentence for the user and an exit code."""

import os

from sandbox_runtime.commands import exit_codes
from sandbox_runtime.jail import NEEDS_ROOT


class CommandError(Exception):
    """Print `message` as one line and exit with `exit_code`."""

    def __init__(self, exit_code: int, message: str) -> None:
        self.exit_code = exit_code
        super().__init__(message)


def require_root() -> None:
    """Raise CommandError without root: nothing runs then."""
    if os.geteuid() != 0:
        raise CommandError(exit_codes.PLATFORM_FAILURE, NEEDS_ROOT)
