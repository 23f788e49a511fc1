"""The project of a request, as far as its API key tells."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NOBODY: Final = ""
"""The owner of all requests without a valid key. They have one share together."""
_ADMINISTRATOR: Final = "X-Admin-Key"
"""The owner of all requests with such a header, so that a flood without it does not keep the administrator out."""
_MOST_KEYS: Final = 10_000


class KeyOwners:
    """Finds the project of a request's X-API-Key. `find`: returns the project of a key, None for an invalid one.

    This decides about shares only: the functions authenticate. So a project that was found once stays known.
    """

    def __init__(self, find: Callable[[str], str | None]) -> None:
        self._find = find
        self._known: dict[bytes, str] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="key-owners")

    async def owner(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the owner of a request with these headers: its project, the administrator or NOBODY."""
        keys: list[bytes] = []
        for name, value in headers:
            if name == b"x-admin-key":
                return _ADMINISTRATOR
            if name == b"x-api-key":
                keys.append(value)
        if len(keys) != 1:
            return NOBODY
        digest = hashlib.sha256(keys[0]).digest()
        if (known := self._known.get(digest)) is not None:
            return known
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, self._find, keys[0].decode("latin-1"))
        except Exception:  # noqa: BLE001 - the tables are away: the function answers so
            return NOBODY
        if found is None:
            return NOBODY
        if len(self._known) >= _MOST_KEYS:
            del self._known[next(iter(self._known))]
        self._known[digest] = found
        return found
