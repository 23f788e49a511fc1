"""The system-call filter: a readable policy file, compiled to classic BPF, loaded in each run."""

from sandbox_runtime.jail.seccomp.filter import Program, build_program

__all__ = ["Program", "build_program"]
