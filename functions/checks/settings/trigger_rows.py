"""The triggers of a project, each in a row of its own, and the submissions that start their checks.

A partition of their own lets a role read nothing else: that of the stream, which loads nothing else of checks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from functions.aws.dynamodb.conditional import delete, put
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.row_codec import to_json
from functions.aws.dynamodb.table import Table
from functions.checks import keys
from functions.checks.settings.triggers import TRIGGER, Follower, SubmissionTrigger
from functions.submissions.model import MARK_OF_CHECK, Kind, Submission
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from functions.checks.settings.store import Check


class TriggerStore(Table):
    """Reads triggers. Each is written in the transaction that writes its check."""

    table_setting = "checks_table"

    def followers(self, project_id: str) -> list[Follower]:
        """Return the checks of a project that have a trigger."""
        followers = map(_follower, self._list(keys.triggers_pk(project_id)))
        return [follower for follower in followers if follower is not None]


def _follower(row: Mapping[str, Any]) -> Follower | None:
    """Read a row; None for a trigger of a newer revision, so that the others still start runs."""
    try:
        return Follower(row["sk"], row["slug"], TRIGGER.validate_json(row["trigger"], extra="ignore"))
    except ValidationError:
        return None


def trigger_action(table_name: str, check: "Check") -> Any:
    """Return the action that writes or deletes the trigger of a check."""
    row_key, trigger = keys.trigger_key(check.project_id, check.check_id), check.settings.trigger
    if trigger is None:
        return delete(table_name, row_key)
    row = {"slug": check.settings.slug, "trigger": to_json(trigger.model_dump(mode="json"))}
    return put(table_name, {**row_key, **to_item(row)})


FRESH_MS = 15_000
"""A new trigger applies after this time at the latest: most projects have none, and each submission would read them."""
CHECKS_PER_MESSAGE = 100
"""A project may have 1,000 such checks. More of them in a message would not start within one invocation."""
_MOST_PROJECTS = 10_000


@dataclass(frozen=True, slots=True)
class SubmissionEnded:
    """A final submission, and the checks that it starts. `data`: for their programs."""

    project_id: str
    submission_id: str
    check_ids: tuple[str, ...]
    data: Mapping[str, Any] = field(repr=False)


class SubmissionTriggers:
    """Finds the checks whose triggers a final submission fits. `send` puts their names into the queue of checks."""

    def __init__(self, triggers: TriggerStore, send: Callable[[SubmissionEnded], None]) -> None:
        self._triggers = triggers
        self._send = send
        self._cached = TtlCache[str, list[Follower]](FRESH_MS, _MOST_PROJECTS)

    def start_checks(self, submission: Submission) -> None:
        """Name the checks that a final run starts; a judge run starts none.

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
                self._send(SubmissionEnded(project_id, submission.submission_id, some, data))


def _is_started(follower: Follower, metadata: Mapping[str, str]) -> bool:
    return isinstance(follower.trigger, SubmissionTrigger) and follower.trigger.holds(metadata)
