"""How many bytes may be under way at once, for all clients and for one of them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAIT_SECS: Final = 30.0


class Budget:
    """Lends bytes. A client has a quarter of all at most, or one request if that is larger."""

    def __init__(self, total: int) -> None:
        self._left = total
        self._share = total // 4
        self._lent: dict[str, int] = {}
        self._changed = threading.Condition()

    @contextmanager
    def lend(self, client: str, count: int) -> Iterator[None]:
        """Lend bytes to a client within the block. Raises TimeoutError where none get free for 30 s."""
        if not count:
            yield
            return
        deadline = monotonic() + _WAIT_SECS
        with self._changed:
            while not self._may_lend(client, count):
                if not self._changed.wait(deadline - monotonic()):
                    raise TimeoutError("too many bytes are under way")
            self._left -= count
            self._lent[client] = self._lent.get(client, 0) + count
        try:
            yield
        finally:
            with self._changed:
                self._left += count
                self._lent[client] -= count
                if not self._lent[client]:
                    del self._lent[client]
                self._changed.notify_all()

    def _may_lend(self, client: str, count: int) -> bool:
        lent = self._lent.get(client, 0)
        return count <= self._left and (lent == 0 or lent + count <= self._share)
