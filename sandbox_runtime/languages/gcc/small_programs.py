"""Build small C programs and libraries that start the guests' toolchains, once at preparation."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sandbox_runtime.languages.preparation import command

Definitions = Mapping[str, str | tuple[str, ...] | int]
"""Macros: a string, a list of words, or a number."""


def build(compiler: str, source: Path, definitions: Definitions, to: Path, options: tuple[str, ...]) -> None:
    """Compile one C source with any compiler of gcc. Writes the whole result or nothing. Raises PreparationError."""
    macros = tuple(f"-D{name}={_value(value)}" for name, value in definitions.items())
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        command((compiler, "-x", "c", "-O2", *macros, *options, "-o", to.name, str(source)), working_directory=work)
        shutil.copy(work / to.name, to)


def _value(value: str | tuple[str, ...] | int) -> str:
    if isinstance(value, tuple):
        return "".join(f"{json.dumps(word)}," for word in value)
    return json.dumps(value)
