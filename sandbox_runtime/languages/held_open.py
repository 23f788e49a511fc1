"""Small programs of C that guests' compilers are started with, and the library that holds a linker, see held_open.c."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sandbox_runtime.languages.preparation import command

NAME = "held_open.so"
FD = 3
_SOURCE = Path(__file__).with_name("held_open.c")
RECIPE = _SOURCE.read_text()

Definitions = Mapping[str, str | tuple[str, ...] | int | None]
"""Macros: a string, words with a comma behind each, a number, or nothing but the name."""


def build_held_open(compiler: str, held_path: str, directory: Path, ordered: tuple[str, ...] = ()) -> None:
    """Make the library there. `ordered`: no object that has one of these texts is linked. Raises PreparationError."""
    definitions: Definitions = {"HELD_PATH": held_path, "HELD_FD": FD}
    if ordered:
        definitions = {**definitions, "ORDERED": ordered}
    build(compiler, _SOURCE, definitions, directory / NAME, ("-shared", "-fPIC"))


def build(compiler: str, source: Path, definitions: Definitions, to: Path, options: tuple[str, ...]) -> None:
    """Compile one source, as C by any compiler of gcc's; all of it or nothing. Raises PreparationError."""
    macros = tuple(f"-D{name}{_value(value)}" for name, value in definitions.items())
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        command((compiler, "-x", "c", "-O2", *macros, *options, "-o", to.name, str(source)), working_directory=work)
        shutil.copy(work / to.name, to)


def _value(value: str | tuple[str, ...] | int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return "=" + "".join(f"{json.dumps(word)}," for word in value)
    return "=" + json.dumps(value)
