"""Due rows in the order of a sweep: oldest first; in a large backlog, projects take turns.

The index does not contain the project, so a large backlog costs one more read of each row.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched

from functions.aws.dynamodb.due_index import DUE_SHARDS
from functions.submissions.store import SubmissionStore
from functions.webhooks.deliveries.rows import DueDelivery, DueRow
from functions.webhooks.deliveries.store import DeliveryStore

PAGE_PER_SHARD = 25
BACKLOG_PER_SHARD = 15_000
"""Entries that a sweep reads of one shard if its first page is full; 240,000 in all."""
FAIR_FROM = 500
"""Projects take turns from this many rows on. A sweep handles fewer in a second or two."""
_READERS = 8
_KEYS_PER_CALL = 100


@dataclass(frozen=True, slots=True)
class DueSubmission:
    """One entry of the submissions' due index."""

    submission_id: str
    due_at_ms: int


type Entry = DueSubmission | DueRow


@dataclass(frozen=True, slots=True)
class Backlog:
    """The two due indexes."""

    submissions: SubmissionStore
    deliveries: DeliveryStore

    def read(self, now_ms: int, seen: set[Entry]) -> list[Entry]:
        """Return due entries that are not in `seen`, in the order of the sweep."""
        fresh = [entry for entry in self._entries(now_ms) if entry not in seen]
        if len(fresh) < FAIR_FROM:
            return sorted(fresh, key=lambda entry: entry.due_at_ms)
        return round_robin(sorted(fresh, key=lambda entry: entry.due_at_ms), self._projects(fresh))

    def _entries(self, now_ms: int) -> Iterator[Entry]:
        for shard in DUE_SHARDS:
            page = self.submissions.due(shard, now_ms, PAGE_PER_SHARD)
            if len(page) == PAGE_PER_SHARD:
                page = self.submissions.due(shard, now_ms, BACKLOG_PER_SHARD)
            yield from (DueSubmission(*due) for due in page)
        for shard in DUE_SHARDS:
            entries = self.deliveries.due(shard, now_ms, PAGE_PER_SHARD)
            if len(entries) == PAGE_PER_SHARD:
                entries = self.deliveries.due(shard, now_ms, BACKLOG_PER_SHARD)
            yield from entries

    def _projects(self, entries: list[Entry]) -> Mapping[Entry, str]:
        """Return the project of each entry, without rows deleted meanwhile."""
        projects: dict[Entry, str] = {}
        deliveries, submissions = [], []
        for entry in entries:
            if isinstance(entry, DueDelivery):
                deliveries.append(entry)
            elif isinstance(entry, DueSubmission):
                submissions.append(entry)
            else:
                projects[entry] = entry.project_id
        with ThreadPoolExecutor(_READERS) as pool:
            for some in pool.map(self._of_deliveries, batched(deliveries, _KEYS_PER_CALL)):
                projects |= some
            for others in pool.map(self._of_submissions, batched(submissions, _KEYS_PER_CALL)):
                projects |= others
        return projects

    def _of_deliveries(self, entries: tuple[DueDelivery, ...]) -> dict[Entry, str]:
        by_key = {(entry.event_id, entry.endpoint_id): entry for entry in entries}
        return {by_key[key]: project_id for key, project_id in self.deliveries.projects_of(list(by_key)).items()}

    def _of_submissions(self, entries: tuple[DueSubmission, ...]) -> dict[Entry, str]:
        by_id = {entry.submission_id: entry for entry in entries}
        return {by_id[row_id]: project_id for row_id, project_id in self.submissions.projects_of(list(by_id)).items()}


def round_robin[Row: Hashable](entries: Iterable[Row], projects: Mapping[Row, str]) -> list[Row]:
    """Return the first entry of each project, then the second of each, and so on."""
    counts: Counter[str] = Counter()
    turns: list[tuple[int, Row]] = []
    for entry in entries:
        project_id = projects.get(entry, "")
        turns.append((counts[project_id], entry))
        counts[project_id] += 1
    return [entry for _, entry in sorted(turns, key=lambda turn: turn[0])]
