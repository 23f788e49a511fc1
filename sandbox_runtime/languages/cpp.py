"""C++: compiled by the system's g++ inside the jail."""

from pathlib import Path

from sandbox_runtime.languages import direct_gcc
from sandbox_runtime.languages.cpp_headers import DIRECTORY, HEADER_SETS, cpp_names
from sandbox_runtime.languages.entry import Compile, Language, Prepared, Tool
from sandbox_runtime.languages.linker import MOLD, through_compiler
from sandbox_runtime.languages.preparation import command
from sandbox_runtime.languages.profiles import compile_limits, profiles

COMPILER = "/usr/bin/g++"

_SOURCE = "solution.cpp"
_OPTIONS = ("-std=c++17", "-O2", "-DONLINE_JUDGE")
_COMMAND = (COMPILER, *_OPTIONS, *through_compiler(), "-o", "solution", _SOURCE)


def _prepare(directory: Path) -> None:
    """The script, and each set of headers as g++ includes it: precompiled, where it finds that it fits."""
    (directory / direct_gcc.SCRIPT_NAME).write_text(direct_gcc.script(_COMMAND, _SOURCE, directory))
    for name, headers in HEADER_SETS.items():
        (directory / name).write_text("".join(f"#include <{header}>\n" for header in headers))
        precompile = (COMPILER, *_OPTIONS, "-x", "c++-header", name, "-o", f"{name}.gch")
        command(precompile, working_directory=directory)


CPP = Language(
    name="cpp",
    file_name=_SOURCE,
    other_suffixes=(".cc", ".cxx"),
    name_source=cpp_names,
    tools=(Tool(COMPILER),),
    # g++ alone cannot link anything without the C library's headers and start files.
    needed_files=("/usr/include/stdio.h",),
    compile=Compile(
        argv=("/bin/sh", f"{DIRECTORY}/{direct_gcc.SCRIPT_NAME}", "{headers}", *_COMMAND),
        limits=compile_limits(memory_mb=512),
        artifact="solution",
    ),
    run_argv=("/box/solution",),
    prepared=Prepared(
        guest_path=DIRECTORY,
        make=_prepare,
        # The C library's headers are in the precompiled ones and change without the compiler.
        made_from=(COMPILER, direct_gcc.ASSEMBLER, MOLD, "/usr/include/stdio.h", "/usr/include/features.h"),
        recipe=f"{_COMMAND} {dict(HEADER_SETS)}" + direct_gcc.RECIPE,
    ),
    profiles=profiles(
        memory_mb=256, cpu_secs=8, wall_secs=10, processes=8, open_files=64, file_mb=1, agent_processes=32
    ),
    version_argv=("{tool}", "-dumpfullversion"),
    version_prefix="g++ ",
    warm_files=("/usr/lib*/gcc/*/*/cc1plus", direct_gcc.ASSEMBLER, MOLD),
    trial='#include <iostream>\nint main() { std::cout << 6 * 7 << "\\n"; }\n',
)
