"""The submissions that run now."""

from threading import Lock


class RunningSubmissions:
    """Ids of submissions that run in this process. Safe for threads."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, submission_id: str) -> bool:
        """Claim a submission; False if it is running already."""
        with self._lock:
            if submission_id in self._ids:
                return False
            self._ids.add(submission_id)
            return True

    def discard(self, submission_id: str) -> None:
        """Release a submission."""
        with self._lock:
            self._ids.discard(submission_id)
