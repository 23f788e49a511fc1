"""How far a stream mapping has come, in a file that survives SIGKILL. Lambda keeps the same itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

CLOSED = "closed"


class Checkpoint:
    """`positions`: the last done sequence number of each shard, or that the shard is read to its end.

    A damaged file, or one of another stream, counts for nothing.
    """

    def __init__(self, path: Path, stream_arn: str) -> None:
        self._path = path
        self._stream_arn = stream_arn
        path.parent.mkdir(exist_ok=True)
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # empty after a loss of power
            record = {}
        self.positions: dict[str, str] = record["shards"] if record.get("stream") == stream_arn else {}

    def move(self, shard: str, position: str) -> None:
        """Set a shard's position. Raises OSError, as on a full disk; the position moves nevertheless."""
        self.positions[shard] = position
        draft = self._path.with_name(self._path.name + ".new")
        draft.write_text(json.dumps({"stream": self._stream_arn, "shards": self.positions}), encoding="utf-8")
        draft.replace(self._path)  # whole or not at all: the process may be killed at any moment
