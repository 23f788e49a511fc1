"""C and C++ without gcc's driver: its compiler, its assembler and mold called as `gcc -###` says that gcc would.

The driver and collect2 are processes that only start others, one after the other: here all three are started at once.
The host asks the installed gcc once for its commands and builds a program of them for guests, see direct_gcc.c. That
program gets the whole ordinary command too, and ends in it whenever anything is not as it should be.
"""

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox_runtime.languages import held_open
from sandbox_runtime.languages.c_programs import Definitions, build
from sandbox_runtime.languages.linker import MOLD
from sandbox_runtime.languages.preparation import PreparationError, spoken

PROGRAM_NAME = "compile"
ASSEMBLER = "/usr/bin/as"
HEADERS_FILE = ".headers"
"""Of the working directory: the path of precompiled headers for the source."""

_ONE_THREAD, _TWO_THREADS = "--threads=1", "--threads=2"
# In the jail, where both are the guest's own.
_OBJECT, _SAID = "/tmp/solution.o", "/tmp/said"  # noqa: S108
_PROGRAM_SOURCE = Path(__file__).with_name("direct_gcc.c")
_ORDINARY_SCRIPT = f'#!/bin/sh\nrm -f {HEADERS_FILE}\nexec "$@"\n'
RECIPE = _ORDINARY_SCRIPT + _PROGRAM_SOURCE.read_text() + held_open.RECIPE


@dataclass(frozen=True, slots=True)
class _Commands:
    compiler: tuple[str, ...]
    assembler: tuple[str, ...]
    linker: tuple[str, ...]


def write_program(ordinary: tuple[str, ...], source_name: str, directory: Path, guest_path: str) -> None:
    """Make what guests call for an ordinary compile command, which ends in one source and its libraries.

    Guests see `directory` at `guest_path`. Asks gcc there, where it makes a source of that name. Without mold, or when
    gcc's answer is not understood, the program is a script with the ordinary command alone.
    """
    source = directory / source_name
    source.touch()
    try:
        found = _commands(spoken((ordinary[0], "-###", *ordinary[1:]), working_directory=directory))
        _build(ordinary[0], found, directory, guest_path)
    except (PreparationError, LookupError, ValueError):
        program = directory / PROGRAM_NAME
        program.write_text(_ORDINARY_SCRIPT)
        program.chmod(0o755)
    finally:
        source.unlink()


def _build(compiler: str, found: _Commands, directory: Path, guest_path: str) -> None:
    """Raises PreparationError."""
    definitions: Definitions = {
        "HELD_PATH": _OBJECT,
        "HELD_FD": held_open.FD,
        "HELD_LIBRARY": f"{guest_path}/{held_open.NAME}",
        "HEADERS_FILE": HEADERS_FILE,
        "SAID": _SAID,
        "COMPILER": found.compiler,
        "ASSEMBLER": found.assembler,
        "LINKER": found.linker,
    }
    held_open.build_held_open(compiler, _OBJECT, directory)
    build(compiler, _PROGRAM_SOURCE, definitions, directory / PROGRAM_NAME, ("-static",))


def _commands(answer: str) -> _Commands:
    """Read what `gcc -###` wrote. Raises LookupError and ValueError when it is not three steps of one file."""
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
    """Mold with the one object, gcc's own file of the moment, behind all libraries."""
    if not os.access(MOLD, os.X_OK):
        raise LookupError(MOLD)
    return behind_libraries(mold_for(collect2), [object_name], [_OBJECT])


def behind_libraries(mold: Sequence[str], objects: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Mold's words with the objects behind all libraries, by other names: one thread waits for them, one has read all.

    What is an object's own stands before what is a library's in any order, but for what runs before and behind main.
    Its place among the start files, which are objects too, stays as it is. Raises ValueError and LookupError when one
    is not there.
    """
    words = [_TWO_THREADS if word == _ONE_THREAD else word for word in mold]
    for name in objects:
        words.remove(name)
    end_files = [number for number, word in enumerate(words) if Path(word).name.startswith("crtend")]
    return (*words[: end_files[0]], *names, *words[end_files[0] :])


def _steps(answer: str) -> Mapping[str, list[str]]:
    """The commands in an answer of `gcc -###`, by the names of their programs."""
    commands = (shlex.split(line) for line in answer.splitlines() if line.startswith(" "))
    return {Path(words[0]).name: words for words in commands if words}


def linking(ordinary: tuple[str, ...], directory: Path) -> tuple[str, ...]:
    """How mold must be called for a command of gcc that only links, run in `directory`.

    Raises PreparationError, LookupError and ValueError when gcc's answer is not understood.
    """
    answer = spoken((ordinary[0], "-###", *ordinary[1:]), working_directory=directory)
    return mold_for(_steps(answer)["collect2"])


def mold_for(collect2: Sequence[str]) -> tuple[str, ...]:
    """Mold in the place of collect2. Its threads and its second process do not pay for a small program.

    What an object asks for gets a stack that may be executed, as with ld: GNU C's nested functions need it.
    """
    return (MOLD, "--no-fork", _ONE_THREAD, "-z", "execstack-if-needed", *_without_plugin(collect2[1:]))


def _absolute(tool: str) -> str:
    found = shutil.which(tool, path="/usr/bin:/bin")
    if found is None:
        raise LookupError(tool)
    return found


def _without_output(words: Sequence[str]) -> list[str]:
    place = words.index("-o")
    return [*words[:place], *words[place + 2 :]]


def _without_plugin(words: Sequence[str]) -> Iterator[str]:
    """The plugin of link-time optimisation, and how to find a linker."""
    rest = iter(words)
    for word in rest:
        if word == "-plugin":
            next(rest)
        elif not word.startswith(("-plugin-opt=", "-fuse-ld=")):
            yield word
