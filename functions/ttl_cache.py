"""A cache whose entries have a time to live, and whose number of entries is bounded."""

import threading
from collections.abc import Callable, Hashable

from functions.clock import Clock, now_ms


class TtlCache[Key: Hashable, Value]:
    """Keeps at most `most` values, each for less than `fresh_ms`. Threads may share it.

    An old value stays in memory until the next call of `get` for its key, or of `keep` for any key.
    """

    def __init__(self, fresh_ms: int, most: int, clock: Clock = now_ms) -> None:
        self._fresh_ms = fresh_ms
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Key, tuple[int, Value]] = {}  # in the order of their times

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> Value | None:
        """Return the value of a key; None if there is none, or if it is too old."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            if self._is_fresh(found[0]):
                return found[1]
            del self._kept[key]
            return None

    def get_or_load(self, key: Key, load: Callable[[], Value]) -> Value:
        """Return the value of a key. If there is none, or if it is too old, load it and keep it."""
        found = self.get(key)
        return self.keep(key, load()) if found is None else found

    def keep(self, key: Key, value: Value, read_at_ms: int | None = None) -> Value:
        """Keep a value that was read at that time, by default now, and return it."""
        now = self._clock() if read_at_ms is None else read_at_ms
        with self._lock:
            self._kept.pop(key, None)
            while self._kept:
                oldest = next(iter(self._kept))
                if len(self._kept) < self._most and self._is_fresh(self._kept[oldest][0]):
                    break
                del self._kept[oldest]
            self._kept[key] = now, value
        return value

    def drop(self, key: Key) -> None:
        """Forget the value of a key."""
        with self._lock:
            self._kept.pop(key, None)

    def _is_fresh(self, kept_ms: int) -> bool:
        return 0 <= self._clock() - kept_ms < self._fresh_ms  # a clock that was set back makes values old
