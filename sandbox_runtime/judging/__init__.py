"""Judge one program with many cases: compile once, run each case in a fresh jail, compare its output."""

from sandbox_runtime.judging.completion import not_judged
from sandbox_runtime.judging.run import JudgeRun, Setting

__all__ = ["JudgeRun", "Setting", "not_judged"]
