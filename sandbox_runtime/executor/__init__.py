"""Execute one request: its steps in a slot, then the classified result with metrics and evidence."""

from sandbox_runtime.executor.compilation import NO_CACHE, CompileCache
from sandbox_runtime.executor.report import slot_is_suspect
from sandbox_runtime.executor.step_runs import ExecutionDrainedError, Jail, Networks
from sandbox_runtime.executor.steps import execute, limits_of, not_run

__all__ = [
    "NO_CACHE",
    "CompileCache",
    "ExecutionDrainedError",
    "Jail",
    "Networks",
    "execute",
    "limits_of",
    "not_run",
    "slot_is_suspect",
]
