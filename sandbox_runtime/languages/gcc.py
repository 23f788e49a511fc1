"""Call gcc's tools for C, C++ and Rust: its compiler and assembler without its driver, and mold as the linker."""

import logging
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox_runtime.languages.preparation import MOLD, SOURCES, Definitions, PreparationError, build, command


def through_compiler() -> tuple[str, ...]:
    """Return the options with which gcc and g++ (12.1 or later) call mold, if it is installed."""
    return ("-fuse-ld=mold",) if os.access(MOLD, os.X_OK) else ()


def with_options(ordinary: tuple[str, ...], sources: tuple[str, ...], options: tuple[str, ...]) -> tuple[str, ...]:
    """Add sources before the libraries of an ordinary command, and options at its end, where they win.

    A header in quotes is looked up in the working directory too.
    """
    end = max(place for place, word in enumerate(ordinary) if not word.startswith("-l")) + 1
    return (*ordinary[:end], *sources, *ordinary[end:], "-iquote", ".", *options)


# Compile C and C++ without gcc's driver: call its compiler, its assembler and mold with the arguments of `gcc -###`.
#
# gcc's driver and collect2 only start other processes, one after the other. We start all three at once. The host asks
# the installed gcc once for its commands, and builds a program of them for guests, see direct_gcc.c. The program also
# gets the ordinary command, and executes it in every unexpected case.

PROGRAM_NAME = "compile"
ASSEMBLER = "/usr/bin/as"
HEADERS_FILE = ".headers"
"""A file in the working directory. It holds the path of precompiled headers for the source."""

# Paths in the jail; both files are the guest's own.
_OBJECT, _SAID = "/tmp/solution.o", "/tmp/said"  # noqa: S108
_HELD_FD = 3
_HELD_OPEN = "held_open.so"
_PROGRAM_SOURCE, _HELD_OPEN_SOURCE = (SOURCES / name for name in ("direct_gcc.c", "held_open.c"))
_ORDINARY_SCRIPT = f'#!/bin/sh\nrm -f {HEADERS_FILE}\nexec "$@"\n'
# With this module, so that a host on which it did not understand gcc's answer asks again after a change.
RECIPE = "".join(path.read_text() for path in (Path(__file__), _PROGRAM_SOURCE, _HELD_OPEN_SOURCE))
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Commands:
    compiler: tuple[str, ...]
    assembler: tuple[str, ...]
    linker: tuple[str, ...]


def write_program(ordinary: tuple[str, ...], source_name: str, directory: Path, guest_path: str) -> None:
    """Build the program that guests call for an ordinary compile command, which ends in one source and its libraries.

    Guests see `directory` at `guest_path`. Without mold, or if gcc's answer has another form, the program is a script
    with the ordinary command only, and the log says why.
    """
    source = directory / source_name
    source.touch()
    try:
        found = _commands(_ask(ordinary, directory))
        _build(ordinary[0], found, directory, guest_path)
    except (PreparationError, LookupError, ValueError) as error:
        _LOG.warning(
            "compiler not called directly; its driver is slower", extra={"tool": ordinary[0], "reason": repr(error)}
        )
        program = directory / PROGRAM_NAME
        program.write_text(_ORDINARY_SCRIPT)
        program.chmod(0o755)
    finally:
        source.unlink()


def _build(compiler: str, found: _Commands, directory: Path, guest_path: str) -> None:
    """Raises PreparationError."""
    held: Definitions = {"HELD_PATH": _OBJECT, "HELD_FD": _HELD_FD}
    definitions: Definitions = {
        **held,
        "HELD_LIBRARY": f"{guest_path}/{_HELD_OPEN}",
        "HEADERS_FILE": HEADERS_FILE,
        "SAID": _SAID,
        "COMPILER": found.compiler,
        "ASSEMBLER": found.assembler,
        "LINKER": found.linker,
    }
    build(compiler, _HELD_OPEN_SOURCE, held, directory / _HELD_OPEN, ("-shared", "-fPIC"))
    build(compiler, _PROGRAM_SOURCE, definitions, directory / PROGRAM_NAME, ("-static",))


def _ask(ordinary: tuple[str, ...], directory: Path) -> str:
    """Ask gcc which commands it would run, and run none of them. Raises PreparationError."""
    return command((ordinary[0], "-###", *ordinary[1:]), working_directory=directory).stderr


def _commands(answer: str) -> _Commands:
    """Parse the output of `gcc -###`. Raises LookupError and ValueError if it is not three steps of one file."""
    steps = _steps(answer)
    compiler = steps["cc1plus" if "cc1plus" in steps else "cc1"]
    *assembler, assembled = steps["as"]
    object_name = assembler[assembler.index("-o") + 1]
    if assembled != compiler[compiler.index("-o") + 1]:
        raise ValueError(answer)
    return _Commands(
        compiler=(*_without_output(compiler), "-o", "-"),
        assembler=(_absolute(assembler[0]), *_without_output(assembler[1:]), "-o", _OBJECT),
        linker=_reading_libraries_first(steps["collect2"], object_name),
    )


def _reading_libraries_first(collect2: Sequence[str], object_name: str) -> tuple[str, ...]:
    """Build mold's command with the object after all libraries. One thread waits for it; the other reads the libraries.

    The order changes no result: an object's symbols precede a library's in any order, and the object keeps its place
    among the start files, which are objects too. Raises ValueError and LookupError if a file is missing.
    """
    if not os.access(MOLD, os.X_OK):
        raise LookupError(MOLD)
    words = list(mold_for(collect2, threads=2))
    words.remove(object_name)  # gcc's temporary file
    end_files = [number for number, word in enumerate(words) if Path(word).name.startswith("crtend")]
    return (*words[: end_files[0]], _OBJECT, *words[end_files[0] :])


def _steps(answer: str) -> Mapping[str, list[str]]:
    """Return the commands in the output of `gcc -###`, by the names of their programs without a target's prefix."""
    commands = (shlex.split(line) for line in answer.splitlines() if line.startswith(" "))
    # gcc 16 of Debian calls x86_64-linux-gnu-as.
    return {Path(words[0]).name.rpartition("-")[2]: words for words in commands if words}


def linking(ordinary: tuple[str, ...], directory: Path) -> tuple[str, ...]:
    """Return mold's command for a command of gcc that only links, run in `directory`.

    Raises PreparationError, LookupError and ValueError if gcc's answer has another form.
    """
    return mold_for(_steps(_ask(ordinary, directory))["collect2"])


def mold_for(collect2: Sequence[str], *, threads: int = 1) -> tuple[str, ...]:
    """Return mold's command in place of collect2's. More threads and a second process do not pay for small programs.

    An object that asks for an executable stack gets one, as with ld: nested functions of GNU C need it.
    """
    return (MOLD, "--no-fork", f"--threads={threads}", "-z", "execstack-if-needed", *_without_plugin(collect2[1:]))


def _absolute(tool: str) -> str:
    found = shutil.which(tool, path="/usr/bin:/bin")
    if found is None:
        raise LookupError(tool)
    return found


def _without_output(words: Sequence[str]) -> list[str]:
    place = words.index("-o")
    return [*words[:place], *words[place + 2 :]]


def _without_plugin(words: Sequence[str]) -> Iterator[str]:
    """Leave out the options of the plugin for link-time optimisation, and of the linker's choice."""
    rest = iter(words)
    for word in rest:
        if word == "-plugin":
            next(rest)
        elif not word.startswith(("-plugin-opt=", "-fuse-ld=")):
            yield word


# A linker for rustc: takes the arguments for gcc, and calls mold as gcc would, without gcc and collect2.
#
# It is a shell script named `gcc`, because rustc chooses its options by that name and prints it in its diagnostics.
# For an unknown argument or an error of mold it executes the real gcc with all arguments.

LINKER_NAME = "gcc"

# For an executable. The loop takes each argument from the front of the list, and appends those for mold at its end.
# `@` starts the name of a file with arguments; gcc and mold have different ones.
_LINKER_SCRIPT = """\
#!/bin/sh
set -f
link() {{
    kinds=
    left=$#
    while [ "$left" -gt 0 ]; do
        word=$1
        shift
        left=$((left - 1))
        case $word in
            -Wl,*)
                IFS=,
                set -- "$@" ${{word#-Wl,}}
                unset IFS
                ;;
            -pie | -nodefaultlibs) kinds="$kinds$word" ;;
            -m64 | -fuse-ld=mold) ;;
            -o)
                [ "$1" = solution ] || return 1
                shift
                left=$((left - 1))
                ;;
            -L)
                set -- "$@" "$word" "$1"
                shift
                left=$((left - 1))
                ;;
            -[lL]* | [!@-]*) set -- "$@" "$word" ;;
            *) return 1 ;;
        esac
    done
    [ "$kinds" = -pie-nodefaultlibs ] && {before} "$@" {after} >/dev/null 2>&1
}}
link "$@" || exec {gcc} "$@"
"""
_ORDINARY_LINKER = '#!/bin/sh\nexec {gcc} "$@"\n'
LINKER_RECIPE = _LINKER_SCRIPT + _ORDINARY_LINKER


def write_linker(gcc: str, directory: Path) -> None:
    """Write the script in `directory`. Without mold, or if gcc's answer has another form, it only calls gcc."""
    script = directory / LINKER_NAME
    script.write_text(_linker_script(gcc, directory))
    script.chmod(0o755)


def _linker_script(gcc: str, directory: Path) -> str:
    ordinary = _ORDINARY_LINKER.format(gcc=gcc)
    if not os.access(MOLD, os.X_OK):
        return ordinary
    linked = directory / "linked.o"
    linked.touch()
    try:
        words = linking((gcc, "-pie", "-nodefaultlibs", "-o", "solution", linked.name), directory)
        place = words.index(linked.name)
    except (PreparationError, LookupError, ValueError):
        return ordinary
    finally:
        linked.unlink()
    return _LINKER_SCRIPT.format(before=shlex.join(words[:place]), after=shlex.join(words[place + 1 :]), gcc=gcc)
