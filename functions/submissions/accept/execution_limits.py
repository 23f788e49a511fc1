"""Check the `limits` object of a request."""

import dataclasses
import math
import sys
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from events.limits import HIGHEST_CEILINGS, LEAST_OPEN_FILES, RaisedCeilings, ceilings
from events.vocabulary import Language, Profile
from functions.errors import FieldProblem

_WHOLE = frozenset({"memory_mb", "max_processes", "output_kb", "file_size_mb", "open_files", "stack_mb"})


def _as_float(value: object) -> object:
    """Turn an integer beyond the float range into infinity: it gets the same answer as other large values."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > sys.float_info.max:
        return math.inf if value > 0 else -math.inf
    return value


# The model accepts every number: the message of `check_limits` names the ceiling. The schema shows the bounds.
Cpu = Annotated[
    float,
    BeforeValidator(_as_float),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": HIGHEST_CEILINGS["cpu_time_secs"]}),
]
Wall = Annotated[
    float,
    BeforeValidator(_as_float),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": HIGHEST_CEILINGS["wall_time_secs"]}),
]
Whole = Annotated[float, BeforeValidator(_as_float), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1024})]

Memory = Annotated[
    float,
    BeforeValidator(_as_float),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": HIGHEST_CEILINGS["memory_mb"]}),
]
Output = Annotated[
    float,
    BeforeValidator(_as_float),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": HIGHEST_CEILINGS["output_kb"]}),
]
FileSize = Annotated[
    float, BeforeValidator(_as_float), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100})
]
OpenFiles = Annotated[
    float,
    BeforeValidator(_as_float),
    WithJsonSchema({"type": "integer", "minimum": LEAST_OPEN_FILES, "maximum": 1024}),
]


class RequestLimits(BaseModel):
    """Limits of the run step. Missing or null: the language's default. Unknown names are refused.

    `GET /api/languages?detail=true` has the ceilings of this deployment, by language and profile.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    cpu_time_secs: Cpu | None = None
    wall_time_secs: Wall | None = None
    memory_mb: Memory | None = None
    max_processes: Whole | None = None
    output_kb: Output | None = None
    file_size_mb: FileSize | None = None
    open_files: OpenFiles | None = None
    stack_mb: Whole | None = None


def check_limits(
    limits: RequestLimits | None, language: Language, profile: Profile, raised: RaisedCeilings | None = None
) -> tuple[dict[str, int | float], list[FieldProblem]]:
    """Return the valid limits, whole numbers as int, and the problems."""
    accepted: dict[str, int | float] = {}
    problems = []
    top = dataclasses.asdict(ceilings(language, profile, raised))
    for name, value in limits.model_dump(exclude_none=True).items() if limits else ():
        whole = math.isfinite(value) and value == int(value)
        least = LEAST_OPEN_FILES if name == "open_files" else 1
        is_low = value < least if name in _WHOLE else value <= 0
        if is_low or not value <= top[name] or (name in _WHOLE and not whole):  # NaN fails every comparison
            kind = f"a whole number from {least}" if name in _WHOLE else "a number above 0 and"
            text = f"Must be {kind} up to {top[name]}, the ceiling for {language} in the {profile} profile."
            problems.append(FieldProblem(f"limits.{name}", text))
        else:
            accepted[name] = int(value) if whole else value
    return accepted, problems


@dataclass(frozen=True, slots=True)
class LimitRules:
    """The languages and profiles for which limits may be meant: one each, or several if a request does not say it."""

    languages: tuple[Language, ...]
    profiles: tuple[Profile, ...]
    raised: RaisedCeilings | None = None

    @property
    def language(self) -> Language | None:
        """The language of the program; None if it is unknown."""
        return self.languages[0] if len(self.languages) == 1 else None

    def check(self, limits: RequestLimits | None) -> tuple[dict[str, int | float], list[FieldProblem]]:
        """Check limits as `check_limits` does. They must be valid for one language and one profile."""
        answers = (
            check_limits(limits, language, profile, self.raised)
            for language in self.languages
            for profile in self.profiles
        )
        return min(answers, key=lambda answer: len(answer[1]), default=({}, []))
