"""The system-call filters: a readable policy file, compiled to classic BPF, one program for each family."""

from sandbox_runtime.jail.seccomp.filter import Program, build_programs
from sandbox_runtime.jail.seccomp.policy import INIT

__all__ = ["INIT", "Program", "build_programs"]
