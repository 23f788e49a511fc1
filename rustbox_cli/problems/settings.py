"""Settings of problem packages: their YAML files, numbers, words and names."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

from rustbox_cli.errors import CommandError, ExitCode

if TYPE_CHECKING:
    from pathlib import Path

_ID_CHARS, _HASH_CHARS = 64, 8


def refused(message: str) -> CommandError:
    """Return the error for a folder that cannot be judged."""
    return CommandError(message, ExitCode.REFUSED)


def number(text: object, what: str) -> float:
    """Return a number of a package. Raises CommandError."""
    try:
        found = math.nan if isinstance(text, list | dict) else float(str(text))
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise refused(f"{what} needs a number.")
    return found


def words_of(value: object) -> list[str]:
    """Return the words of a text or a list. Raises CommandError for lists inside of it."""
    return [_scalar(word) for word in value] if isinstance(value, list) else _scalar(value or "").split()


def _scalar(value: object) -> str:
    """Return a value as text. Lists that name one another, a few lines of YAML, would be terabytes as text."""
    if isinstance(value, list | dict):
        raise refused("A setting of the package is a list or a map where a text or a number belongs.")
    return str(value)


def refuse_links_out(folder: Path) -> None:
    """Raise CommandError if a link of a package leads to a file elsewhere: its author could read your files by it."""
    root = folder.resolve()
    for path in folder.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise refused(f"{path} is a link to a file outside of {folder}. Replace it by the file.")


def id_of(name: str) -> str:
    """Return a name as an id of the service. A long one gets its end and a hash, so that two stay different."""
    if len(name) <= _ID_CHARS:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:_HASH_CHARS]
    return f"{digest}~{name[_HASH_CHARS + 1 - _ID_CHARS :]}"


def read_yaml(path: Path) -> dict[str, Any]:
    """Read settings; none without the file. Raises CommandError."""
    if not path.is_file():
        return {}
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - other commands start faster without it

    try:
        content = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, RecursionError, ValueError):
        raise refused(f"{path} is not valid YAML.") from None
    return content if isinstance(content, dict) else {}
