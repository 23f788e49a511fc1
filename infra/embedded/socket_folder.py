"""Short addresses of Unix sockets: a path to one may have 107 bytes, and a state folder can be longer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class SocketFolder:
    """A folder that exists, held open by a descriptor."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let the folder go; addresses are of no use from now on."""
        os.close(self._descriptor)

    def address(self, name: str) -> str:
        """Return the address of a socket of the folder, for this process."""
        return f"/proc/self/fd/{self._descriptor}/{name}"
