"""The submissions that this runner works on."""

from collections.abc import Callable
from threading import Lock


class RunningSubmissions:
    """Ids of submissions from the start of their run until their completion is sent. Safe for threads.

    `on_discard` is called after each removal.
    """

    def __init__(self, on_discard: Callable[[], None] = lambda: None) -> None:
        self._ids: set[str] = set()
        self._lock = Lock()
        self._on_discard = on_discard

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, submission_id: str) -> bool:
        """Claim a submission; False if it is claimed already."""
        with self._lock:
            if submission_id in self._ids:
                return False
            self._ids.add(submission_id)
            return True

    def discard(self, submission_id: str) -> None:
        """Release a submission."""
        with self._lock:
            self._ids.discard(submission_id)
        self._on_discard()
