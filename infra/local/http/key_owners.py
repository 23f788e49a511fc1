"""The project of a request, as far as its API key tells."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING, Final

from functions.http.parameters import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOBODY: Final = ""
"""The owner of all requests without a valid key. They have one share together."""
_ADMINISTRATOR: Final = "X-Admin-Key"
"""The owner of the administrator's requests, so that no flood keeps them out."""
_MOST_KEYS: Final = 10_000
FRESH_SECS: Final = 60.0

type Find = Callable[[str], str | None]


class KeyOwners:
    """Finds the project of a request's API key. `find`: returns the project of a key, None for an invalid one.

    This decides about shares only: the functions authenticate. So a key that was valid once is believed while it is
    looked up again, every minute. A revoked one takes nothing from its project then.
    """

    def __init__(self, find: Find, is_administrator: Callable[[str], bool]) -> None:
        self._finders: dict[bytes, Find] = {
            b"x-admin-key": lambda key: _ADMINISTRATOR if is_administrator(key) else None,
            b"x-api-key": find,
            b"x-auth-token": find,  # the last two: clients of other services (functions/dialects)
            b"authorization": lambda sent: find(key_of(sent) or sent),
        }
        self._known: dict[bytes, tuple[str, float]] = {}  # by digest: the owner, and when to look again
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="key-owners")
        self._looks = set[asyncio.Task[str | None]]()

    async def owner(self, headers: Sequence[tuple[bytes, bytes]]) -> str:
        """Return the owner of a request with these headers: its project, the administrator or NOBODY."""
        for name, find in self._finders.items():
            keys = [value for field, value in headers if field == name]
            if len(keys) == 1 and (owner := await self._owner_of(name, keys[0], find)) is not None:
                return owner
        return NOBODY

    async def _owner_of(self, name: bytes, key: bytes, find: Find) -> str | None:
        digest = hashlib.sha256(name + b":" + key).digest()
        if (known := self._known.get(digest)) is None:
            return await self._look(digest, key, find)
        owner, look_at = known
        if monotonic() >= look_at:
            self._known[digest] = owner, monotonic() + FRESH_SECS
            look = asyncio.create_task(self._look(digest, key, find))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)
        return owner

    async def _look(self, digest: bytes, key: bytes, find: Find) -> str | None:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, find, key.decode("latin-1"))
        except Exception:  # noqa: BLE001 - the tables are away: the function answers so
            return None
        if found is None:
            self._known.pop(digest, None)
            return None
        if digest not in self._known and len(self._known) >= _MOST_KEYS:
            del self._known[next(iter(self._known))]
        self._known[digest] = found, monotonic() + FRESH_SECS
        return found
