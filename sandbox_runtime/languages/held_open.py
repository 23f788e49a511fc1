"""The library that is loaded into a linker and holds it before it opens its objects, see held_open.c."""

from pathlib import Path

from sandbox_runtime.languages.c_programs import Definitions, build

NAME = "held_open.so"
FD = 3
_SOURCE = Path(__file__).with_name("held_open.c")
RECIPE = _SOURCE.read_text()


def build_held_open(compiler: str, held_path: str, directory: Path, ordered: tuple[str, ...] = ()) -> None:
    """Make the library there. `ordered`: no object that has one of these texts is linked. Raises PreparationError."""
    definitions: Definitions = {"HELD_PATH": held_path, "HELD_FD": FD}
    if ordered:
        definitions = {**definitions, "ORDERED": ordered}
    build(compiler, _SOURCE, definitions, directory / NAME, ("-shared", "-fPIC"))
