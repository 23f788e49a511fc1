"""C: compiled by the system's gcc inside the jail."""

from pathlib import Path

from events import vocabulary
from sandbox_runtime.languages import gcc
from sandbox_runtime.languages.entry import Compile, Language, Prepared, Tool, compile_limits, profiles
from sandbox_runtime.languages.preparation import MOLD

COMPILER = "/usr/bin/gcc"

_DIRECTORY = "/opt/rustbox/c"
_SOURCE = "solution.c"
_COMMAND = (COMPILER, "-std=gnu17", "-O2", "-DONLINE_JUDGE", "-o", "solution", _SOURCE, "-lm")


def _with_options(sources: tuple[str, ...], options: tuple[str, ...]) -> tuple[str, ...]:
    return gcc.with_options(_COMMAND, sources, options)


def _prepare(directory: Path) -> None:
    gcc.write_program(_COMMAND, _SOURCE, directory, _DIRECTORY)


C = Language(
    name="c",
    file_name=_SOURCE,
    tools=(Tool(COMPILER),),
    # A gcc without the C library's headers cannot compile anything.
    needed_files=("/usr/include/stdio.h",),
    compile=Compile(
        argv=(f"{_DIRECTORY}/{gcc.PROGRAM_NAME}", *_COMMAND),
        limits=compile_limits(memory_mb=512),
        artifact="solution",
        with_options=_with_options,
        source_suffixes=(".c",),
        own_names=(gcc.HEADERS_FILE,),
    ),
    run_argv=("/box/solution",),
    prepared=Prepared(
        guest_path=_DIRECTORY,
        make=_prepare,
        made_from=(COMPILER, gcc.ASSEMBLER, MOLD),
        recipe=" ".join(_COMMAND) + gcc.RECIPE,
    ),
    profiles=profiles(vocabulary.Language.C, memory_mb=256, cpu_secs=8, open_files=32, file_mb=1),
    version_argv=("{tool}", "-dumpfullversion"),
    version_prefix="gcc ",
    trial='#include <stdio.h>\nint main(void) { return puts("42") < 0; }\n',
    # Debian 13 has its compilers in libexec, older releases in lib.
    warm_files=("/usr/lib*/gcc/*/*/cc1", gcc.ASSEMBLER, MOLD),
)
