"""Parts of a runner's completion message."""

from sandbox_runtime.messages import ExecutionCompleted, InlineOutput


def streams(completed: ExecutionCompleted) -> tuple[bytes, bytes]:
    """Return stdout and stderr, which must be inline."""
    assert isinstance(completed.stdout, InlineOutput)
    assert isinstance(completed.stderr, InlineOutput)
    return completed.stdout.content, completed.stderr.content


def ended(completed: ExecutionCompleted) -> tuple[str, str, int | None, int | None]:
    """Return verdict, cause, exit code and signal."""
    result = completed.result
    return result.verdict, result.cause, result.exit_code, result.signal
