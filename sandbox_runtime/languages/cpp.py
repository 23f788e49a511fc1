"""C++: compiled by the system's g++ inside the jail."""

from sandbox_runtime.languages.entry import Compile, Language, Tool
from sandbox_runtime.languages.linker import through_compiler
from sandbox_runtime.languages.profiles import compile_limits, profiles

COMPILER = "/usr/bin/g++"

CPP = Language(
    name="cpp",
    file_name="solution.cpp",
    other_suffixes=(".cc", ".cxx"),
    tools=(Tool(COMPILER),),
    # g++ alone cannot link anything without the C library's headers and start files.
    needed_files=("/usr/include/stdio.h",),
    compile=Compile(
        argv=(
            COMPILER,
            "-std=c++17",
            "-O2",
            "-DONLINE_JUDGE",
            *through_compiler(),
            "-o",
            "solution",
            "solution.cpp",
        ),
        limits=compile_limits(memory_mb=512),
        artifact="solution",
    ),
    run_argv=("/box/solution",),
    profiles=profiles(
        memory_mb=256, cpu_secs=8, wall_secs=10, processes=8, open_files=64, file_mb=1, agent_processes=32
    ),
    version_argv=("{tool}", "-dumpfullversion"),
    version_prefix="g++ ",
    warm_files=("/usr/lib*/gcc/*/*/cc1plus",),
    trial='#include <iostream>\nint main() { std::cout << 6 * 7 << "\\n"; }\n',
)
