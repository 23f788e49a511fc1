"""C++: compiled by the system's g++ inside the jail."""

import re
import tempfile
from pathlib import Path
from types import MappingProxyType

from events import vocabulary
from sandbox_runtime.jail.spec import GuestFile
from sandbox_runtime.languages import gcc
from sandbox_runtime.languages.entry import Compile, Language, Prepared, SourceNames, Tool, compile_limits, profiles
from sandbox_runtime.languages.preparation import MOLD, SOURCES, PreparationError, command

# Precompiled headers of C++, and the sources that may use them without a change of meaning.
#
# A header that is included before the source changes a program that defines a macro first, or does not include the
# header. So we use a set only if the source starts with comments and includes of standard headers, and includes all
# headers of the set. The order of standard headers does not matter.
#
# The templates of the headers are instantiated already (early_instantiation.c), otherwise at the end of the source.
# That matters for sources with a pragma for another processor or other optimisations, and for those that declare a
# function as deprecated. Such sources use no set.

DIRECTORY = "/opt/rustbox/cpp"

# In order of the time that they save. A source uses the first set whose headers it includes.
HEADER_SETS = MappingProxyType(
    {
        "everything.h": ("bits/stdc++.h",),
        "algorithms.h": ("iostream", "vector", "algorithm"),
        "streams.h": ("iostream",),
    }
)
# <cassert> reads NDEBUG, which no header here sets. <version>, <ciso646> and the C names add nothing to the others.
_STANDARD_NAMES = (
    " bits/stdc++.h algorithm any array atomic bitset cassert cctype cerrno cfenv cfloat charconv chrono cinttypes"
    " climits clocale cmath complex condition_variable csetjmp csignal cstdarg cstddef cstdint cstdio cstdlib"
    " cstring ctime cuchar cwchar cwctype deque exception execution filesystem forward_list fstream functional"
    " future initializer_list iomanip ios iosfwd iostream istream iterator limits list locale map memory"
    " memory_resource mutex new numeric optional ostream queue random ratio regex scoped_allocator set"
    " shared_mutex sstream stack stdexcept streambuf string string_view system_error thread tuple type_traits"
    " typeindex typeinfo unordered_map unordered_set utility valarray variant vector assert.h ctype.h errno.h"
    " limits.h math.h stdint.h stdio.h stdlib.h string.h time.h"
)
_STANDARD = frozenset(_STANDARD_NAMES.split())
# A whole line, or a comment over several, without a backslash or a trigraph, which could join it to the next line.
_LINE = re.compile(
    rb"""
    [ \t]*(?:
        \#[ \t]*include[ \t]*<(?P<header>[a-z_0-9/+.]+)>[ \t]*(?://[^\\?\r\n]*)?
        | //[^\\?\r\n]*
        | /\*(?:[^*\\?]|\*(?!/))*+\*/[ \t]*
    )?\r?\n
    """,
    re.VERBOSE,
)


def cpp_names(code: bytes) -> SourceNames:
    """Return the names of a source, and the file that names its precompiled headers, if it may use any."""
    included = set() if _has_options(code) else _leading_headers(code)
    name = next((name for name, headers in HEADER_SETS.items() if included.issuperset(headers)), None)
    headers = () if name is None else (GuestFile(gcc.HEADERS_FILE, f"{DIRECTORY}/{name}".encode()),)
    return SourceNames("solution.cpp", beside=headers)


def _has_options(code: bytes) -> bool:
    """Whether the source may choose a processor or optimisations, or deprecate functions that the headers use.

    Errs on the safe side: it only looks for words.
    """
    asks = b"ragma" in code and (b"target" in code or b"optimize" in code)
    return asks or b"unavailable" in code or b"deprecated" in code


def _leading_headers(code: bytes) -> set[str]:
    """Return the standard headers that a source includes before anything else."""
    headers: set[str] = set()
    place = 0
    while (line := _LINE.match(code, place)) is not None:
        place = line.end()
        if line["header"] is None:
            continue
        header = line["header"].decode("ascii")
        if header not in _STANDARD:
            break
        headers.add(header)
    return headers


COMPILER = "/usr/bin/g++"

_SOURCE = "solution.cpp"
_OPTIONS = ("-std=c++17", "-O2", "-DONLINE_JUDGE")
_EARLY_SOURCE = SOURCES / "early_instantiation.c"
_EARLY_LIBRARY, _LAST_HEADER = "early_instantiation.so", "instantiate.h"
_COMMAND = (COMPILER, *_OPTIONS, *gcc.through_compiler(), "-o", "solution", _SOURCE)


def _with_options(sources: tuple[str, ...], options: tuple[str, ...]) -> tuple[str, ...]:
    return gcc.with_options(_COMMAND, sources, options)


def _prepare(directory: Path) -> None:
    """Write the direct compiler, and each set of headers with its precompiled form, which g++ uses if it fits."""
    gcc.write_program(_COMMAND, _SOURCE, directory, DIRECTORY)
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
    name_source=cpp_names,
    tools=(Tool(COMPILER),),
    # g++ alone cannot link anything without the C library's headers and start files.
    needed_files=("/usr/include/stdio.h",),
    compile=Compile(
        argv=(f"{DIRECTORY}/{gcc.PROGRAM_NAME}", *_COMMAND),
        limits=compile_limits(memory_mb=512),
        artifact="solution",
        with_options=_with_options,
        source_suffixes=vocabulary.LANGUAGES[vocabulary.Language.CPP].suffixes,
        own_names=(gcc.HEADERS_FILE,),
    ),
    run_argv=("/box/solution",),
    prepared=Prepared(
        guest_path=DIRECTORY,
        make=_prepare,
        # The precompiled headers contain the C library's, which may change without the compiler.
        made_from=(COMPILER, gcc.ASSEMBLER, MOLD, "/usr/include/stdio.h", "/usr/include/features.h"),
        recipe=f"{_COMMAND} {dict(HEADER_SETS)}" + gcc.RECIPE + _EARLY_SOURCE.read_text(),
    ),
    profiles=profiles(vocabulary.Language.CPP, memory_mb=256, cpu_secs=8, open_files=64, file_mb=1),
    version_argv=("{tool}", "-dumpfullversion"),
    version_prefix="g++ ",
    warm_files=("/usr/lib*/gcc/*/*/cc1plus", gcc.ASSEMBLER, MOLD),
    trial='#include <iostream>\nint main() { std::cout << 6 * 7 << "\\n"; }\n',
)
