"""The system-call filters: a readable policy file, compiled to classic BPF, one program for each family."""

from sandbox_runtime.jail.controls.seccomp.filters import (
    INIT,
    SMALL_INIT,
    Program,
    build_programs,
    helper_program,
    instructions,
)

__all__ = ["INIT", "SMALL_INIT", "Program", "build_programs", "helper_program", "instructions"]
