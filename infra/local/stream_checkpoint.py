"""How far a stream mapping has come, in a file that survives SIGKILL. Lambda keeps the same itself."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

_CLOSED = "closed"


class Checkpoint:
    """The last done sequence number of each shard, or that the shard is read to its end. For several threads."""

    def __init__(self, path: Path, stream_arn: str, shards: dict[str, str]) -> None:
        self._path = path
        self._stream_arn = stream_arn
        self._shards = shards
        self._begun = set[str]()
        self._lock = threading.Lock()
        self.is_new = not shards

    @classmethod
    def load(cls, path: Path, stream_arn: str) -> Self:
        """Read the file. A damaged one, or one of another stream, counts for nothing."""
        path.parent.mkdir(exist_ok=True)
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # empty after a loss of power
            record = {}
        return cls(path, stream_arn, record["shards"] if record.get("stream") == stream_arn else {})

    def begin(self, shard: str) -> bool:
        """Tell whether the caller is the first one to read this shard, and there is something left in it."""
        with self._lock:
            if shard in self._begun or self._shards.get(shard) == _CLOSED:
                return False
            self._begun.add(shard)
            return True

    def position(self, shard: str) -> str | None:
        """Return the last done sequence number."""
        return self._shards.get(shard)

    def is_closed(self, shard: str | None) -> bool:
        """Tell whether a shard is read to its end."""
        return shard is not None and self._shards.get(shard) == _CLOSED

    def move(self, shard: str, sequence: str) -> None:
        """Set the last done sequence number. Raises OSError, as on a full disk; the position moves nevertheless."""
        with self._lock:
            self._shards[shard] = sequence
            draft = self._path.with_name(self._path.name + ".new")
            draft.write_text(json.dumps({"stream": self._stream_arn, "shards": self._shards}), encoding="utf-8")
            draft.replace(self._path)  # whole or not at all: the process may be killed at any moment

    def close(self, shard: str) -> None:
        """Note that a shard is read to its end. Raises OSError."""
        self.move(shard, _CLOSED)
