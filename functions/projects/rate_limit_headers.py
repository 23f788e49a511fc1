"""The RateLimit headers of answers to requests with a valid key."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from events.vocabulary import Profile
from functions.aws.clients import Clients
from functions.clock import Clock, now_ms
from functions.projects.quota import Usage, tightest_rate
from functions.projects.quota_store import QuotaStore
from functions.settings import load_settings
from functions.telemetry import logger
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.projects.model import Project
    from functions.projects.quota import Quota

FRESH_MS = 1_000
_MOST_SEEN = 1_000


class Rates:
    """The remaining `judge` quota of projects, read at most once a second, so that polling stays cheap."""

    def __init__(self, quotas: QuotaStore, log: Logger, clock: Clock = now_ms) -> None:
        self._quotas = quotas
        self._log = log
        self._clock = clock
        self._seen = TtlCache[str, tuple[Usage | None]](FRESH_MS, _MOST_SEEN, clock)

    def headers(self, project: Project) -> dict[str, str]:
        """Return the three headers; none if the quota cannot be read, since that must not fail the request."""
        quota = project.quota(Profile.JUDGE)
        usage = self._usage(project.project_id, quota)
        return self.headers_of(usage, quota) if usage is not None else {}

    def headers_of(self, usage: Usage, quota: Quota) -> dict[str, str]:
        """Return the three headers of a known usage, without a read."""
        return tightest_rate(usage, quota, self._clock()).headers

    def _usage(self, project_id: str, quota: Quota) -> Usage | None:
        (usage,) = self._seen.get_or_load(project_id, lambda: (self._read(project_id, quota),))
        return usage

    def _read(self, project_id: str, quota: Quota) -> Usage | None:
        try:
            return self._quotas.usage(project_id, Profile.JUDGE, quota)
        except (ClientError, BotoCoreError) as error:
            self._log.warning("Quota not read", project_id=project_id, error_type=type(error).__name__)
            return None


@functools.cache
def rates() -> Rates:
    """Return the instance of this process."""
    return Rates(QuotaStore(load_settings(("quotas_table",)).quotas_table, Clients.dynamodb()), logger("rates"))
