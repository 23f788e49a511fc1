"""The status page of a project: what it chooses, and what is shown of a check."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from functions.checks.settings.check_settings import Slug
from functions.checks.state import Outage, State
from functions.http.fields import checked_line
from functions.http.validation import Text

MOST_CHECKS = 50
DAYS = 90
DAY_MS = 86_400_000


class StatusPageSettings(BaseModel):
    """Body of PUT /api/status-page. Everybody with the address of the page sees it."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    title: Annotated[Text, Field(min_length=1, max_length=100), AfterValidator(checked_line)]
    checks: list[Slug] = Field(
        min_length=1, max_length=MOST_CHECKS, description="Slugs of the checks that it shows, in their order."
    )
    shows_output: bool = Field(
        default=False,
        description="Also show why a check is down: its reason, and expected and actual values of failed assertions.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """The status page of a project."""

    project_id: str
    token: str
    title: str
    check_ids: tuple[str, ...]
    shows_output: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCheck:
    """A check on the page. `observed`: starts and ends of its stretches with data, oldest first. `details`: lines.

    `outages`: of the last 90 days, newest first, with the one that lasts.
    """

    name: str
    state: State
    since_ms: int
    observed: tuple[tuple[int, int], ...]
    outages: tuple[Outage, ...] = ()
    details: tuple[str, ...] = ()

    def observed_ms(self, start_ms: int, end_ms: int) -> int:
        """Return how long there was data in a stretch of time."""
        return _overlap_ms(self.observed, start_ms, end_ms)

    def down_ms(self, start_ms: int, end_ms: int) -> int:
        """Return how long it was down in a stretch of time, as far as there was data."""
        outages = [(each.since_ms, each.until_ms) for each in self.outages]
        return sum(
            _overlap_ms(outages, max(since_ms, start_ms), min(until_ms, end_ms)) for since_ms, until_ms in self.observed
        )


def _overlap_ms(stretches: Iterable[tuple[int, int]], start_ms: int, end_ms: int) -> int:
    return sum(max(0, min(until_ms, end_ms) - max(since_ms, start_ms)) for since_ms, until_ms in stretches)


def days(now_ms: int) -> list[int]:
    """Return when each of the last 90 days began, in UTC, today last."""
    today = now_ms // DAY_MS * DAY_MS
    return [today - DAY_MS * back for back in reversed(range(DAYS))]
