"""The error of the commands: a sentence for the user and an exit code."""


class CommandError(Exception):
    """Print `message` as one line and exit with `exit_code`."""

    def __init__(self, exit_code: int, message: str) -> None:
        self.exit_code = exit_code
        super().__init__(message)
