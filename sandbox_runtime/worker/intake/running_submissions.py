"""The submissions that this runner works on, their duplicates, and those that it has ended."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from threading import Lock
from time import monotonic

# SQS delivers a message again within its visibility timeout, and the sweeper sends a late one again within minutes.
# After this time a message of an ended submission runs again: its completion did not reach the table.
ENDED_SECS = 900
# About 1.5 MB.
MOST_ENDED = 10_000


class Claim(Enum):
    """The answer to a claim. DUPLICATE: the submission runs. ENDED: it has run, and SQS has its completion."""

    CLAIMED = auto()
    DUPLICATE = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Another message of a running submission. `delete` it at the end of the run, or `give_back` both messages."""

    delete: Callable[[], None]
    give_back: Callable[[], None]


class RunningSubmissions:
    """Ids of submissions from the start of their run until their completion is sent. Safe for threads.

    `on_discard` is called after each removal.
    """

    def __init__(self, on_discard: Callable[[], None] = lambda: None, clock: Callable[[], float] = monotonic) -> None:
        self._running: dict[str, list[Duplicate]] = {}
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()
        self._on_discard = on_discard
        self._clock = clock

    def __len__(self) -> int:
        return len(self._running)

    def claim(self, submission_id: str, duplicate: Duplicate | None = None) -> Claim:
        """Claim a submission. If it runs, keep `duplicate` until its end."""
        with self._lock:
            found = self._state(submission_id, duplicate)
            if found is Claim.CLAIMED:
                self._running[submission_id] = []
            return found

    def find(self, submission_id: str, duplicate: Duplicate) -> Claim:
        """Like `claim`, but do not claim it: CLAIMED means that it is new."""
        with self._lock:
            return self._state(submission_id, duplicate)

    def end(self, submission_id: str) -> None:
        """Release a submission whose completion SQS has accepted, and delete its duplicates."""
        with self._lock:
            duplicates = self._running.pop(submission_id, [])
            self._ended[submission_id] = self._clock()
            self._ended.move_to_end(submission_id)
            if len(self._ended) > MOST_ENDED:
                self._ended.popitem(last=False)
        for duplicate in duplicates:
            duplicate.delete()
        self._on_discard()

    def discard(self, submission_id: str) -> None:
        """Release a submission that must run again, and give back its duplicates."""
        with self._lock:
            duplicates = self._running.pop(submission_id, [])
        for duplicate in duplicates:
            duplicate.give_back()
        self._on_discard()

    def discard_alone(self, submission_id: str) -> bool:
        """Release a submission unless it has duplicates. False: it has."""
        with self._lock:
            if self._running.get(submission_id):
                return False
            self._running.pop(submission_id, None)
        self._on_discard()
        return True

    def _state(self, submission_id: str, duplicate: Duplicate | None) -> Claim:
        if submission_id in self._running:
            if duplicate is not None:
                self._running[submission_id].append(duplicate)
            return Claim.DUPLICATE
        if self._clock() - self._ended.get(submission_id, -ENDED_SECS) < ENDED_SECS:
            return Claim.ENDED
        return Claim.CLAIMED
