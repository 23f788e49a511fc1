"""Quiet times as clients set them: of a check, and of all checks with a tag."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from functions.checks.schedule import parse_schedule
from functions.checks.settings.schedule_problems import schedule_problems
from functions.checks.state import QuietTime
from functions.errors import FieldProblem
from functions.http.validation import Text

MOST_TIMES = 10
MOST_TAGS = 50
_WEEK_MINUTES = 7 * 1440
TAG = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"


class Quiet(BaseModel):
    """Minutes after each time of a schedule in which changes of the state are not sent."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    schedule: Text = Field(
        max_length=200, description="When it begins: a cron expression.", examples=["cron(0 2 * * ? *)"]
    )
    minutes: int = Field(ge=1, le=_WEEK_MINUTES, description="How long it lasts.", examples=[60])
    timezone: Text = Field(default="UTC", max_length=64, description="IANA time zone.", examples=["Europe/Berlin"])

    @property
    def time(self) -> QuietTime:
        """The stretches of time."""
        return QuietTime(parse_schedule(self.schedule, self.timezone), self.minutes)


QuietTimes = Annotated[list[Quiet], Field(max_length=MOST_TIMES)]


class TagQuietTimes(BaseModel):
    """Body of PUT /api/quiet-times: quiet times of all checks with a tag."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    tags: dict[Annotated[str, Field(pattern=TAG)], QuietTimes] = Field(
        max_length=MOST_TAGS,
        description="Quiet times by tag. They replace those before.",
        examples=[{"database": [{"schedule": "cron(0 2 ? * SUN *)", "minutes": 120}]}],
    )


def quiet_problems(field: str, times: Iterable[Quiet]) -> Iterator[FieldProblem]:
    """Yield the schedules and time zones that cannot be used."""
    for index, quiet in enumerate(times):
        place = f"{field}.{index}."
        problems = list(schedule_problems(quiet.schedule, quiet.timezone, place))
        yield from problems
        if not problems and quiet.time.schedule.cron is None:
            text = "A quiet time begins at times of a clock, not at a rate. Example: cron(0 2 * * ? *)"
            yield FieldProblem(f"{place}schedule", text)
