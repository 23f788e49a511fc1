"""The type of the fixture that invokes the command line, and files for it."""

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

type Rustbox = Callable[..., Result]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
