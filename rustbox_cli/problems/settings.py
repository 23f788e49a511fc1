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
        found = float(str(text))
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise refused(f"{what} needs a number.")
    return found


def words_of(value: object) -> list[str]:
    """Return the words of a text or a list."""
    return [str(word) for word in value] if isinstance(value, list) else str(value or "").split()


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
