"""Filters of an endpoint by kind, verdict, language and metadata of a run. Events without a run pass every filter."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class SubmissionKind(StrEnum):
    """What a submission is: a run or a judge run of a client, or a run of a check."""

    RUN = "run"
    JUDGE = "judge"
    CHECK = "check"


ALL_KINDS = tuple(SubmissionKind)
CLIENT_KINDS = (SubmissionKind.RUN, SubmissionKind.JUDGE)
"""Those of a new endpoint: a check that runs each minute would send 1,440 events a day."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The values of a run that filters compare. `verdict` None: a judge run, whose cases have verdicts."""

    kind: SubmissionKind
    verdict: str | None
    language: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RunFilters:
    """Filters of an endpoint. Empty: every run. All filters must accept a run, with one of their values.

    `metadata`: each of these keys must have this value.
    """

    verdicts: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)

    def accept(self, run: RunFacts) -> bool:
        """Whether the endpoint wants the event of this run. Filters by verdict do not apply to judge runs."""
        if self.verdicts and run.verdict is not None and run.verdict not in self.verdicts:
            return False
        if self.languages and run.language not in self.languages:
            return False
        return all(run.metadata.get(name) == value for name, value in self.metadata.items())


ALL_RUNS = RunFilters()
