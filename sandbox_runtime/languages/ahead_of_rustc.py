"""Rust's compiler with a linker that was started ahead of it, and waiting for its source; see ahead_of_rustc.c."""

import shlex
from pathlib import Path

from sandbox_runtime.languages import direct_linker, held_open
from sandbox_runtime.languages.c_programs import Definitions, build
from sandbox_runtime.languages.direct_gcc import behind_libraries
from sandbox_runtime.languages.preparation import PreparationError, command

PROGRAM_NAME, WAITING_NAME = "compile", "waiting_rustc"
_LIBRARY_SOURCE, _LAUNCHER_SOURCE, _PROTOCOL = (
    Path(__file__).with_name(name) for name in ("ahead_of_rustc.c", "preloaded.c", "waiting.h")
)
_ORDINARY_SCRIPT = '#!/bin/sh\nexec "$@"\n'
HELD_OBJECT = "/tmp/symbols.o"  # noqa: S108 - a name only: mold asks for it and opens what it is told
# Of names of sections. What is in them runs in the order of the files, and the standard library has some of the kind.
ORDERED = (".init_array", ".fini_array", ".ctors", ".dtors")
_GATE_FD, _ENDED_FD = 8, 9  # a shell knows numbers of one digit
_TRIAL = "fn main() {}\n"
RECIPE = (
    _ORDINARY_SCRIPT
    + _TRIAL
    + "".join(ORDERED)
    + direct_linker.RECIPE
    + held_open.RECIPE
    + "".join(source.read_text() for source in (_LIBRARY_SOURCE, _LAUNCHER_SOURCE, _PROTOCOL))
)


def write_programs(ordinary: tuple[str, ...], gcc: str, directory: Path, guest_path: str) -> None:
    """Make what guests call for an ordinary command of rustc's, which ends in its source: at once, or waiting for it.

    Guests see `directory` at `guest_path`, where the command finds the linker of direct_linker.py. What cannot be made
    is left out: a linker ahead, the waiting program. The program that does not wait is always there.
    """
    direct_linker.write_linker(gcc, directory)
    program = directory / PROGRAM_NAME
    program.write_text(_ORDINARY_SCRIPT)
    program.chmod(0o755)
    try:
        linker = _linker_ahead(ordinary, gcc, directory, guest_path)
    except (PreparationError, LookupError, ValueError):
        linker = ()
    try:
        build_programs(gcc, ordinary[-1], linker, directory, guest_path)
    except PreparationError:
        (directory / WAITING_NAME).unlink(missing_ok=True)


def build_programs(gcc: str, source_name: str, linker: tuple[str, ...], directory: Path, guest_path: str) -> None:
    """Make both, the waiting one first. `linker`: the command that is held, or nothing. Raises PreparationError."""
    common: Definitions = {"LINKER": linker, "SOURCE": source_name}
    _build(gcc, WAITING_NAME, {**common, "WAITS": None}, directory, guest_path)
    _build(gcc, PROGRAM_NAME, common, directory, guest_path)


def _build(gcc: str, name: str, definitions: Definitions, directory: Path, guest_path: str) -> None:
    """Raises PreparationError."""
    library = f"{name}.so"
    more: Definitions = {
        **definitions,
        "GATE_FD": _GATE_FD,
        "ENDED_FD": _ENDED_FD,
        "HELD_FD": held_open.FD,
        "HELD_LIBRARY": f"{guest_path}/{held_open.NAME}",
    }
    build(gcc, _LIBRARY_SOURCE, more, directory / library, ("-shared", "-fPIC"))
    launcher: Definitions = {"LIBRARY": f"{guest_path}/{library}"}
    build(gcc, _LAUNCHER_SOURCE, launcher, directory / name, ("-static",))


def _linker_ahead(ordinary: tuple[str, ...], gcc: str, directory: Path, guest_path: str) -> tuple[str, ...]:
    """The command of mold that is held, for which the script is made anew.

    Raises PreparationError, LookupError and ValueError when it is not understood how rustc would link.
    """
    given = _given(ordinary, directory, guest_path)
    words = direct_linker.words_for_mold(gcc, given, directory)
    objects = [word for word in given if word.endswith(".o")]
    if given.index(objects[0]) != 1:
        raise ValueError(given)
    linker = behind_libraries(words, objects, (HELD_OBJECT, *objects[1:]))
    held_open.build_held_open(gcc, HELD_OBJECT, directory, ORDERED)
    ahead = direct_linker.Ahead(given, _GATE_FD, _ENDED_FD)
    direct_linker.write_linker(gcc, directory, ahead)
    return linker


def _given(ordinary: tuple[str, ...], directory: Path, guest_path: str) -> tuple[str, ...]:
    """What rustc gives to its linker for a program of the standard library alone. Raises as `_linker_ahead`."""
    source = directory / ordinary[-1]
    source.write_text(_TRIAL)
    linker = directory / direct_linker.NAME
    try:
        here = tuple(word.replace(guest_path, str(directory)) for word in ordinary)
        words = shlex.split(command((*here, "--print", "link-args"), working_directory=directory))
    finally:
        source.unlink()
        (directory / "solution").unlink(missing_ok=True)
    return tuple(words[words.index(str(linker)) + 1 :])
