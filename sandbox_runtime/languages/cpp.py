"""C++: compiled by the system's g++ inside the jail."""

import tempfile
from pathlib import Path

from events import vocabulary
from sandbox_runtime.languages.entry import Compile, Language, Prepared, Tool
from sandbox_runtime.languages.gcc import direct as direct_gcc
from sandbox_runtime.languages.gcc.linker import MOLD, through_compiler
from sandbox_runtime.languages.gcc.precompiled_headers import DIRECTORY, HEADER_SETS, cpp_names
from sandbox_runtime.languages.gcc.several_sources import with_options
from sandbox_runtime.languages.preparation import PreparationError, command
from sandbox_runtime.languages.profiles import compile_limits, profiles

COMPILER = "/usr/bin/g++"

_SUFFIX, _OTHER_SUFFIXES = ".cpp", (".cc", ".cxx")
_SOURCE = f"solution{_SUFFIX}"
_OPTIONS = ("-std=c++17", "-O2", "-DONLINE_JUDGE")
_EARLY_SOURCE = Path(__file__).with_name("gcc") / "early_instantiation.c"
_EARLY_LIBRARY, _LAST_HEADER = "early_instantiation.so", "instantiate.h"
_COMMAND = (COMPILER, *_OPTIONS, *through_compiler(), "-o", "solution", _SOURCE)


def _with_options(sources: tuple[str, ...], options: tuple[str, ...]) -> tuple[str, ...]:
    return with_options(_COMMAND, sources, options)


def _prepare(directory: Path) -> None:
    """Write the direct compiler, and each set of headers with its precompiled form, which g++ uses if it fits."""
    direct_gcc.write_program(_COMMAND, _SOURCE, directory, DIRECTORY)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / _LAST_HEADER).touch()
        for name, headers in HEADER_SETS.items():
            text = "".join(f"#include <{header}>\n" for header in headers)
            (directory / name).write_text(text)
            (work / name).write_text(f'{text}#include "{_LAST_HEADER}"\n#pragma rustbox instantiate\n')
            precompile(work / name, directory / f"{name}.gch")


def precompile(header: Path, to: Path) -> None:
    """Precompile a header, with its templates instantiated if possible, see early_instantiation.c.

    Raises PreparationError.
    """
    work = header.parent
    build = (COMPILER, "-x", "c", "-O2", "-shared", "-fPIC", "-o", _EARLY_LIBRARY, str(_EARLY_SOURCE))
    words = (COMPILER, *_OPTIONS, "-x", "c++-header", header.name, "-o", str(to))
    try:
        command(build, working_directory=work)
        command(words, working_directory=work, environment={"LD_PRELOAD": str(work / _EARLY_LIBRARY)})
        _confirm_usable(to)
    except PreparationError:
        command(words, working_directory=work)


def _confirm_usable(saved: Path) -> None:
    """Raise PreparationError if the compiler does not accept a precompiled header."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / saved.name).symlink_to(saved)
        # The header itself is missing here, so the compiler can use only its precompiled form.
        words = (COMPILER, *_OPTIONS, "-Winvalid-pch", "-Werror", "-fsyntax-only", "-include", saved.stem)
        command((*words, "-x", "c++", "/dev/null"), working_directory=Path(folder))


CPP = Language(
    name="cpp",
    file_name=_SOURCE,
    other_suffixes=_OTHER_SUFFIXES,
    name_source=cpp_names,
    tools=(Tool(COMPILER),),
    # g++ alone cannot link anything without the C library's headers and start files.
    needed_files=("/usr/include/stdio.h",),
    compile=Compile(
        argv=(f"{DIRECTORY}/{direct_gcc.PROGRAM_NAME}", *_COMMAND),
        limits=compile_limits(memory_mb=512),
        artifact="solution",
        with_options=_with_options,
        source_suffixes=(_SUFFIX, *_OTHER_SUFFIXES),
        own_names=(direct_gcc.HEADERS_FILE,),
    ),
    run_argv=("/box/solution",),
    prepared=Prepared(
        guest_path=DIRECTORY,
        make=_prepare,
        # The precompiled headers contain the C library's, which may change without the compiler.
        made_from=(COMPILER, direct_gcc.ASSEMBLER, MOLD, "/usr/include/stdio.h", "/usr/include/features.h"),
        recipe=f"{_COMMAND} {dict(HEADER_SETS)}" + direct_gcc.RECIPE + _EARLY_SOURCE.read_text(),
    ),
    profiles=profiles(vocabulary.Language.CPP, memory_mb=256, cpu_secs=8, open_files=64, file_mb=1),
    version_argv=("{tool}", "-dumpfullversion"),
    version_prefix="g++ ",
    warm_files=("/usr/lib*/gcc/*/*/cc1plus", direct_gcc.ASSEMBLER, MOLD),
    trial='#include <iostream>\nint main() { std::cout << 6 * 7 << "\\n"; }\n',
)
