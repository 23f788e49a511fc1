"""The rights of API keys. Each row of the route tables names those that open it."""

from collections.abc import Collection, Iterable
from typing import Literal, get_args

type Right = Literal["run", "read", "webhooks", "checks", "files", "secrets"]
"""What a key may do.

`run`: start runs and judge runs; read, follow and cancel each by its id. `read`: read all, lists too. `webhooks`,
`checks`, `secrets`: read and change these, with deliveries, event consumers, and the status page. `files`: read and
change files and problems, and delete results.
"""

RIGHTS: tuple[Right, ...] = get_args(Right.__value__)


def rights_of(stored: Collection[str] | None) -> tuple[Right, ...]:
    """Return the rights of a key's row. None: all. A name that this version does not know gives nothing."""
    return RIGHTS if stored is None else tuple(right for right in RIGHTS if right in stored)


def needed(rights: Iterable[Right]) -> str:
    """Return rights for a sentence, any of which is enough: `right run or read`."""
    return "right " + " or ".join(rights)
