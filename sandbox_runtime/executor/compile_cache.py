"""Cache of compiled programs in this process's memory, limited in bytes and in age.

The cache writes no files, so nothing outside can change an entry, and a restart empties it.
Guests cannot read it: a template starts by exec and inherits no memory, and a run gets only its own artifact.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from sandbox_runtime.executor.compile_key import CompileKey, compile_key
from sandbox_runtime.jail.spec import JailSpec

ENTRY_BYTES = 4096
"""Overhead counted for each entry; it limits the number of entries too."""
_LARGEST_PART = 4  # one program may take a quarter of the cache
_PROJECT_PART = 2  # one project may take half of the cache, so that it cannot evict all entries of others


@dataclass(frozen=True, slots=True)
class CachedProgram:
    """`warnings`: the compiler's messages about the program."""

    artifact: bytes
    warnings: bytes


@dataclass(frozen=True, slots=True)
class _Entry:
    """`size_bytes`: with overhead."""

    program: CachedProgram
    size_bytes: int
    stored_at: float


class CompileCache:
    """Least-recently-used cache. Safe for threads.

    `max_bytes`: of all entries. `max_age_secs`: of an entry, counted from its compilation.
    `toolchains`: toolchain digests by language name; a language without one is not cached.
    """

    def __init__(
        self,
        toolchains: Mapping[str, str],
        *,
        max_bytes: int,
        max_age_secs: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._toolchains = toolchains
        self._max_bytes = max_bytes
        self._max_age_secs = max_age_secs
        self._clock = clock
        self._entries: OrderedDict[CompileKey, _Entry] = OrderedDict()  # least recently used first
        self._size_bytes = 0
        self._project_sizes: Counter[str] = Counter()
        self._lock = Lock()

    def key(self, project_id: str, language: str, step: JailSpec) -> CompileKey | None:
        """Build the key of a compile step. None: the step must not be cached."""
        toolchain = self._toolchains.get(language)
        return None if not toolchain else compile_key(project_id, language, toolchain, step)

    def find(self, key: CompileKey | None) -> CachedProgram | None:
        """Return the program of a key. None: not cached, or expired."""
        with self._lock:
            entry = None if key is None else self._entries.get(key)
            if key is None or entry is None:
                return None
            if self._is_expired(entry):
                self._remove(key)
                return None
            self._entries.move_to_end(key)
            return entry.program

    def keep(self, key: CompileKey | None, program: CachedProgram) -> None:
        """Store a program unless it is too large, and evict the least recently used entries above the limits."""
        size_bytes = len(program.artifact) + len(program.warnings) + ENTRY_BYTES
        if key is None or size_bytes > self._max_bytes // _LARGEST_PART:
            return
        entry = _Entry(program, size_bytes, self._clock())
        project = key.project_id
        with self._lock:
            self._remove(key)
            self._entries[key] = entry
            self._size_bytes += size_bytes
            self._project_sizes[project] += size_bytes
            while self._project_sizes[project] > self._max_bytes // _PROJECT_PART:
                self._remove(next(known for known in self._entries if known.project_id == project))
            while self._size_bytes > self._max_bytes:
                self._remove(next(iter(self._entries)))

    def drop_expired(self) -> None:
        """Remove expired entries. Call it from time to time; `find` removes only the entry that it looks up."""
        with self._lock:
            for key in [key for key, entry in self._entries.items() if self._is_expired(entry)]:
                self._remove(key)

    @property
    def size_bytes(self) -> int:
        """Bytes counted against `max_bytes`."""
        with self._lock:
            return self._size_bytes

    def _remove(self, key: CompileKey) -> None:
        """Remove an entry. The caller holds the lock."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._size_bytes -= entry.size_bytes
        self._project_sizes[key.project_id] -= entry.size_bytes
        if self._project_sizes[key.project_id] <= 0:
            del self._project_sizes[key.project_id]

    def _is_expired(self, entry: _Entry) -> bool:
        return self._clock() - entry.stored_at >= self._max_age_secs


NO_CACHE = CompileCache({}, max_bytes=0, max_age_secs=0)
"""A cache that keeps nothing and makes no keys."""
