"""C: compiled by the system's gcc inside the jail."""

from sandbox_runtime.languages.entry import Compile, Language, Tool
from sandbox_runtime.languages.profiles import compile_limits, profiles

COMPILER = "/usr/bin/gcc"

C = Language(
    name="c",
    file_name="solution.c",
    tools=(Tool(COMPILER),),
    # A gcc without the C library's headers cannot compile anything.
    needed_files=("/usr/include/stdio.h",),
    compile=Compile(
        argv=(COMPILER, "-std=c17", "-O2", "-DONLINE_JUDGE", "-o", "solution", "solution.c", "-lm"),
        limits=compile_limits(memory_mb=512),
        artifact="solution",
    ),
    run_argv=("/box/solution",),
    profiles=profiles(
        memory_mb=256, cpu_secs=8, wall_secs=10, processes=8, open_files=32, file_mb=1, agent_processes=32
    ),
    version_argv=("{tool}", "-dumpfullversion"),
    version_prefix="gcc ",
    trial='#include <stdio.h>\nint main(void) { return puts("42") < 0; }\n',
    # Debian 13 has its compilers below libexec, older ones below lib.
    warm_files=("/usr/lib*/gcc/*/*/cc1",),
)
