"""The limit of requested runs: their rows live for 90 days, and a quota counts only runs that start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.table import Table
from functions.checks import keys
from functions.checks.settings.model import MAX_CHECKS
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.errors import RateLimitedError
from functions.projects.model import Rate

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.checks.settings.model import Check
    from functions.projects.registry import ProjectRegistry

_HOUR_SECS = 3_600


class RequestLimit(Table):
    """Counts the requested runs of each project, profile and hour in the checks table."""

    def __init__(
        self, table_name: str, client: DynamoDBClient, projects: ProjectRegistry, clock: Clock = now_ms
    ) -> None:
        super().__init__(table_name, client, clock)
        self._projects = projects

    def count(self, check: Check) -> None:
        """Count one request. Raises RateLimitedError.

        The limit is the number of runs that the quota allows in an hour, but at least one for each check.
        """
        record, profile = self._projects.get(check.project_id), check.settings.profile.value
        most = max(MAX_CHECKS, 0 if record is None else 60 * record.project.quota(profile).per_minute)
        now_secs = self._clock() // MS_PER_SEC
        hour = now_secs // _HOUR_SECS
        update = ConditionalUpdate(
            {"ttl": (hour + 2) * _HOUR_SECS},
            "attribute_not_exists(#count) OR #count < :most",
            {"zero": 0, "one": 1, "most": most},
            computed=("#count = if_not_exists(#count, :zero) + :one",),
        )
        if not self._update_unread(update, keys.requests_key(check.project_id, profile, hour)):
            secs = (hour + 1) * _HOUR_SECS - now_secs
            text = f"The project may request {most:,} runs of checks in an hour. Repeat the request in {secs} seconds."
            raise RateLimitedError(text, secs, Rate(most, 0, secs).headers)
