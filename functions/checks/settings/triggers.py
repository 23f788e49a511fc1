"""The trigger of a check: the end of another check's run, or of a submission. The data of an event. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue, TypeAdapter

from functions.errors import FieldProblem
from functions.http.validation import StrictModel
from functions.submissions.model import MARK_OF_CHECK

MAX_CHAIN = 10
"""Checks that follow one another. A run further down is skipped: changes made at once may close a loop."""
MAX_NAMES = 8
SLUG = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"


class EndedAs(StrEnum):
    """How a run of a check ended that did run."""

    PASSED = "passed"
    FLAKY = "flaky"
    FAILED = "failed"
    ERROR = "error"


# `str`, not `Text`: behind a function, the messages about lengths would count items. pydantic refuses half characters.
_Name = Annotated[str, Field(min_length=1, max_length=256)]
_Value = Annotated[str, Field(max_length=512)]


class CheckTrigger(StrictModel):
    """Each run of another check of the project that ends so."""

    type: Literal["check"]
    slug: str = Field(pattern=SLUG, description="Slug of the other check.")
    statuses: list[Annotated[EndedAs, Field(strict=False)]] = Field(default=list(EndedAs), min_length=1)


class SubmissionTrigger(StrictModel):
    """Each submission of the project, other than runs of checks, that ends and has this metadata."""

    type: Literal["submission"]
    metadata: dict[_Name, _Value] = Field(
        min_length=1,
        max_length=MAX_NAMES,
        description="All of these names with these values.",
        examples=[{"suite": "nightly"}],
    )

    def holds(self, metadata: Mapping[str, str]) -> bool:
        """Whether a submission with this metadata starts the check."""
        return MARK_OF_CHECK not in metadata and self.metadata.items() <= metadata.items()


Trigger = Annotated[CheckTrigger | SubmissionTrigger, Field(discriminator="type")]
TRIGGER: TypeAdapter[CheckTrigger | SubmissionTrigger] = TypeAdapter(Trigger)


@dataclass(frozen=True, slots=True)
class Follower:
    """A check that has a trigger."""

    check_id: str
    slug: str
    trigger: CheckTrigger | SubmissionTrigger

    @property
    def source(self) -> str | None:
        return self.trigger.slug if isinstance(self.trigger, CheckTrigger) else None


def chain_problem(followers: Iterable[Follower], slug: str, source: str) -> str | None:
    """Return why the check `slug` cannot follow `source`; None if it can. `followers`: those without `slug`."""
    sources = {each.slug: each.source for each in followers}
    chain = [slug, source]
    while (before := sources.get(chain[-1])) is not None and slug not in chain[1:] and len(chain) <= MAX_CHAIN:
        chain.append(before)
    if slug in chain[1:]:
        return f"The checks would start one another without end: {' ← '.join(chain)}. Remove one of these triggers."
    if len(chain) > MAX_CHAIN:
        return f"At most {MAX_CHAIN} checks follow one another."
    return None


VARIABLE_MAX_BYTES = 1_400
"""As it is sealed for a run, escaped and beside the values of `env`: KMS encrypts 4,096 bytes in a call."""
STDIN_MAX_BYTES = 65_536
CALL_VARIABLES_MAX_BYTES = 1_536
"""Of all variables about a signed call, in JSON: the rest of these 4,096 bytes."""


class EventAs(StrEnum):
    """How a program gets the data of the event that started it."""

    VARIABLE = "variable"
    STDIN = "stdin"


def event_text(event: Mapping[str, JsonValue]) -> str:
    """Return the data as its program reads it: JSON in ASCII."""
    return json.dumps(event, separators=(",", ":"))


def size_problem(text: str, event_as: EventAs) -> str | None:
    """Return why the data is too large; None if it is not."""
    if event_as is EventAs.STDIN:
        return None if len(text) <= STDIN_MAX_BYTES else f"the event has more than {STDIN_MAX_BYTES:,} bytes of JSON"
    if len(json.dumps(text)) <= VARIABLE_MAX_BYTES:
        return None
    limit = f"the event has more than {VARIABLE_MAX_BYTES:,} bytes of JSON, with its quotes escaped"
    return f"{limit}: set event_as to stdin for up to {STDIN_MAX_BYTES:,}"


def field_problem(text: str, event_as: EventAs, field: str) -> FieldProblem | None:
    """Return the problem of a request whose field has the data; None if it is not too large."""
    problem = size_problem(text, event_as)
    return None if problem is None else FieldProblem(field, f"{problem[0].upper()}{problem[1:]}.")
