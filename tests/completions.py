"""Parts of a runner's completion message."""

from events.completed import ExecutionCompleted


def streams(completed: ExecutionCompleted) -> tuple[bytes, bytes]:
    """Return stdout and stderr, which must be inline."""
    return completed.stdout.inline, completed.stderr.inline


def ended(completed: ExecutionCompleted) -> tuple[str, str, int | None, int | None]:
    """Return verdict, cause, exit code and signal."""
    result = completed.result
    return result.verdict, result.cause, result.exit_code, result.signal
