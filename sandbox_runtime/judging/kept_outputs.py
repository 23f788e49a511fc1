"""Keep the outputs of a judge run's cases within bounds: their first bytes here, whole ones in the bucket."""

import json
from collections.abc import Callable
from threading import Lock

from events.judged import CaseStream

MAX_STDOUT_HEAD_BYTES = 65_536
MAX_STDERR_HEAD_BYTES = 16_384
MAX_HEADS_BYTES = 3_145_728
"""Of all cases together: an answer of the API has at most 6 MB."""
MAX_MESSAGES_BYTES = 10_485_760
"""Messages of checkers in JSON, of all cases together: the functions read at most 16 MiB of results."""

type Store = Callable[[int, bytes], str]
"""Put the whole output of a case into the bucket, and return its key."""


class KeptOutputs:
    """The outputs of one judge run. Safe for threads. `store` may raise; then the judge run has no result."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._left_bytes = MAX_HEADS_BYTES
        self._left_message_bytes = MAX_MESSAGES_BYTES
        self._lock = Lock()

    def stdout(self, index: int, output: bytes) -> CaseStream:
        """Keep an output. All of it goes into the bucket when it does not fit here."""
        head = self._head(output, MAX_STDOUT_HEAD_BYTES)
        key = None if len(head) == len(output) else self._store(index, output)
        return CaseStream(len(output), head, key)

    def stderr(self, output: bytes) -> CaseStream:
        """Keep the first bytes only."""
        return CaseStream(len(output), self._head(output, MAX_STDERR_HEAD_BYTES))

    def compiler_output(self, output: bytes) -> CaseStream:
        """Keep the first bytes of the compiler's output."""
        return CaseStream(len(output), self._head(output, MAX_STDOUT_HEAD_BYTES))

    def message(self, text: str | None) -> str | None:
        """Keep a message. None: there is none, or those before it take up all of the space."""
        if text is None:
            return None
        size = len(json.dumps(text, ensure_ascii=False).encode())
        with self._lock:
            if size > self._left_message_bytes:
                return None
            self._left_message_bytes -= size
        return text

    def _head(self, output: bytes, most_bytes: int) -> bytes:
        with self._lock:
            head = output[: min(most_bytes, self._left_bytes)]
            self._left_bytes -= len(head)
        return head
