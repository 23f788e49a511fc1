"""Judge one program with many cases: compile once, run each case in a fresh jail, compare its output."""

from sandbox_runtime.judging.run import JudgeRun, Setting, not_judged

__all__ = ["JudgeRun", "Setting", "not_judged"]
