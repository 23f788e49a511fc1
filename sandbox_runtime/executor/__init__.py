"""Execute one request: its steps in a slot, then the classified result with metrics and evidence."""

from sandbox_runtime.executor.attempts import ExecutionCancelledError, Jail
from sandbox_runtime.executor.compile_cache import CompileCache
from sandbox_runtime.executor.report import slot_is_suspect
from sandbox_runtime.executor.steps import execute, limits_of, platform_failure

__all__ = [
    "CompileCache",
    "ExecutionCancelledError",
    "Jail",
    "execute",
    "limits_of",
    "platform_failure",
    "slot_is_suspect",
]
