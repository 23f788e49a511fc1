"""Programs that would tell a direct call of assembler and linker, or a precompiled header, from the ordinary command.

Valid or not: what counts is that both ways say and do the same.
"""

from pathlib import Path

_FOLDER = Path(__file__).parents[2] / "guests" / "compilers"


def _programs(kind: str) -> dict[str, bytes]:
    return {path.stem.replace("_", " "): path.read_bytes() for path in sorted((_FOLDER / kind).iterdir())}


C_PROGRAMS = _programs("c")
RUST_PROGRAMS = _programs("rust")  # only the linker differs, so few programs end before it
HEADER_PROGRAMS = {name: code.decode() for name, code in _programs("with_headers").items()}
REFUSED_PROGRAMS = {name: code.decode() for name, code in _programs("without_headers").items()}
"""Those that get no precompiled headers: they could change the program."""
