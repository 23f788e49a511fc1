"""The RateLimit headers of answers to requests with a valid key."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.clients import Clients
from functions.clock import Clock, now_ms
from functions.messages.languages import Profile
from functions.projects.quota import Usage, tightest_rate
from functions.projects.quota_store import QuotaStore
from functions.settings import RateSettings, load
from functions.telemetry import logger

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.projects.model import Project
    from functions.projects.quota import Quota

FRESH_MS = 1_000
_MOST_SEEN = 1_000


@dataclass(frozen=True, slots=True)
class Rates:
    """The remaining `judge` quota of projects, read at most once a second, so that polling stays cheap."""

    quotas: QuotaStore
    log: Logger
    clock: Clock = now_ms
    _seen: dict[str, tuple[int, Usage | None]] = field(default_factory=dict)
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def headers(self, project: Project) -> dict[str, str]:
        """Return the three headers; none if the quota cannot be read, since that must not fail the request."""
        usage = self._usage(project.project_id)
        return self.headers_of(usage, project.quota(Profile.JUDGE)) if usage is not None else {}

    def headers_of(self, usage: Usage, quota: Quota) -> dict[str, str]:
        """Return the three headers of a known usage, without a read."""
        return tightest_rate(usage, quota, self.clock()).headers

    def _usage(self, project_id: str) -> Usage | None:
        with self._reading:
            now = self.clock()
            read_at_ms, usage = self._seen.get(project_id, (0, None))
            if 0 <= now - read_at_ms < FRESH_MS:
                return usage
            try:
                usage = self.quotas.usage(project_id, Profile.JUDGE)
            except (ClientError, BotoCoreError) as error:
                self.log.warning("Quota not read", project_id=project_id, error_type=type(error).__name__)
                usage = None
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen[project_id] = now, usage
            return usage


@functools.cache
def rates() -> Rates:
    """Return the instance of this process."""
    return Rates(QuotaStore(load(RateSettings).quotas_table, Clients.dynamodb()), logger("rates"))
