"""Send hints of ended submissions that start checks. The entry point of the stream calls it for each of them."""

from __future__ import annotations

from itertools import batched
from typing import TYPE_CHECKING

from functions.checks.runs.hints import SubmissionEnded
from functions.checks.settings.triggers import Follower, SubmissionTrigger
from functions.submissions.model import MARK_OF_CHECK, Kind
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.checks.runs.hints import CheckHints
    from functions.checks.settings.trigger_store import TriggerStore
    from functions.submissions.model import Submission

FRESH_MS = 15_000
"""A new trigger applies after this time at the latest: most projects have none, and each submission would read them."""
CHECKS_PER_MESSAGE = 100
"""A project may have 1,000 such checks. More of them in a message would not start within one invocation."""
_MOST_PROJECTS = 10_000


class SubmissionTriggers:
    """Finds the checks that a submission starts, and sends their names to the queue of checks."""

    def __init__(self, triggers: TriggerStore, hints: CheckHints) -> None:
        self._triggers = triggers
        self._hints = hints
        self._cached = TtlCache[str, list[Follower]](FRESH_MS, _MOST_PROJECTS)

    def start_checks(self, submission: Submission) -> None:
        """Send hints of the checks that a final run starts; a judge run starts none.

        Raises the errors of table and queue: the stream then repeats it.
        """
        metadata = submission.metadata
        if submission.kind is not Kind.RUN or not metadata or MARK_OF_CHECK in metadata:
            return
        project_id = submission.project_id
        followers = self._cached.get_or_load(project_id, lambda: self._triggers.followers(project_id))
        check_ids = [each.check_id for each in followers if _is_started(each, metadata)]
        if check_ids:
            data = {
                "type": "submission.completed",
                "submission_id": submission.submission_id,
                "language": submission.language,
                "verdict": submission.verdict,
                "metadata": dict(metadata),
            }
            for some in batched(check_ids, CHECKS_PER_MESSAGE):
                self._hints.send_submission(SubmissionEnded(project_id, submission.submission_id, some, data))


def _is_started(follower: Follower, metadata: Mapping[str, str]) -> bool:
    return isinstance(follower.trigger, SubmissionTrigger) and follower.trigger.holds(metadata)
