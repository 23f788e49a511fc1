"""Execute one request: its steps in a slot, then the classified result with metrics and evidence."""

from sandbox_runtime.executor.steps import ExecutionCancelledError, Jail, execute, limits_of, platform_failure

__all__ = ["ExecutionCancelledError", "Jail", "execute", "limits_of", "platform_failure"]
