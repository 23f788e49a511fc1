"""Check and normalise the body of POST /api/judge.

The program is checked as that of POST /api/submit. A wrong case, checker or group raises InvalidFieldsError (422),
whose fields name the place: `cases[3].checker.code`. `rules` checks several fields together.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from functions.errors import FieldProblem, InvalidFieldsError
from functions.http.validation import Text, checked
from functions.judging.conversion import to_judging, to_plan
from functions.judging.model import Aggregate, Plan, Visibility
from functions.judging.rules import (
    CASES_TOTAL_MAX_BYTES,
    CODE_MAX_BYTES,
    MAX_FILES,
    MAX_GROUPS,
    find_problems,
)
from functions.messages.judging import MAX_CASES, CheckerKind, Judging, Protocol, Stop
from functions.messages.languages import Language, default_wall_secs
from functions.submissions.limits import RequestLimits, check_limits
from functions.submissions.requests import ProgramRequest, RunRequest, checked_program, read_body

MAX_SECS = 300
"""The longest judge run, without its compile steps and checker programs."""
PLAN_MAX_BYTES = 65_536
"""The names, points and groups of all cases, as a row holds them."""
CHECKERS_SECS = 120
"""Added to the budget of a judge run with checker programs, for all of them together."""

Name = Annotated[str, Field(min_length=1, max_length=64)]
Points = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Tolerance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Argument = Annotated[Text, Field(max_length=1024)]
Arguments = Annotated[list[Argument], Field(max_length=64)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class CheckerRequest(_Part):
    """How outputs are compared. `tokens` has options; `program` and `interactor` need language, code and protocol."""

    kind: CheckerKind = Field(strict=False)
    case_sensitive: bool | None = Field(default=None, description="Of tokens; true by default.")
    float_abs: Tolerance | None = Field(default=None, description="Of tokens: the largest absolute error of a number.")
    float_rel: Tolerance | None = Field(default=None, description="Of tokens: the largest relative error of a number.")
    language: Text | None = Field(default=None, description="Of the checker program.")
    code: Text | None = Field(
        default=None, repr=False, description="At most 65,536 bytes.", json_schema_extra={"maxLength": CODE_MAX_BYTES}
    )
    protocol: Protocol | None = Field(default=None, strict=False)
    args: Arguments | None = Field(default=None, description="More arguments of the checker program.")
    files: Annotated[dict[FileName, Text], Field(max_length=MAX_FILES)] | None = Field(
        default=None, repr=False, description="Files beside the source of the checker program, by name: testlib.h."
    )


class CaseRequest(_Part):
    """One test case."""

    id: Name | None = Field(default=None, description="Your name for it, unique in the request.")
    stdin: Text | None = Field(default=None, repr=False)
    expected: Text | None = Field(
        default=None, repr=False, description="The right output. Without it, a case passes if its verdict is AC."
    )
    group: Name | None = None
    points: Points | None = Field(default=None, description="1 by default.")
    args: Arguments | None = Field(default=None, description="Arguments of the program.")
    limits: RequestLimits | None = Field(default=None, description="In place of those of the request, one by one.")
    checker: CheckerRequest | None = None
    visibility: Visibility | None = Field(default=None, strict=False, description="full by default.")


class GroupRequest(_Part):
    """One group of cases."""

    id: Name
    points: Points | None = Field(default=None, description="Those of its cases together by default.")
    aggregate: Aggregate | None = Field(default=None, strict=False, description="pass_fail by default.")
    requires: Annotated[list[Name], Field(max_length=MAX_GROUPS)] | None = Field(
        default=None, description="Groups that must pass, or this one counts nothing."
    )


class JudgeBody(ProgramRequest):
    """Body of POST /api/judge. null means the default of an optional field."""

    cases: Annotated[list[CaseRequest], Field(min_length=1, max_length=MAX_CASES)] = Field(
        description=f"Inputs and expected outputs together have at most {CASES_TOTAL_MAX_BYTES:,} bytes."
    )
    checker: CheckerRequest | None = Field(default=None, description="lines by default; a case may have its own.")
    groups: Annotated[list[GroupRequest], Field(max_length=MAX_GROUPS)] | None = None
    stop: Stop | None = Field(
        default=None, strict=False, description="Which cases are skipped after a failure: never (default), or others."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRequest(RunRequest):
    """A valid judge run. `plan`: for scoring and views. `judging`: for the runner."""

    plan: Plan
    judging: Judging = field(repr=False)
    budget_secs: int

    @property
    def wall_budget_secs(self) -> int:
        """Wall time of all cases and checkers in whole seconds, without compile steps."""
        return self.budget_secs

    def _meaning(self) -> dict[str, Any]:
        more = {"kind": "judge", "plan": self.plan.to_json(), "judging": self.judging.model_dump(mode="json")}
        return RunRequest._meaning(self) | more  # noqa: SLF001 - super() does not work in a dataclass with slots


def parse_judge_request(
    raw: bytes, *, offered: Iterable[Language], allow_insecure: bool = False, own_host: str = ""
) -> JudgeRequest:
    """Check a request body. `allow_insecure`: allow webhooks to this machine (local stage). Raises ServiceError."""
    try:
        return _parse(raw, tuple(offered), allow_insecure=allow_insecure, own_host=own_host)
    except InvalidFieldsError as invalid:
        places = (FieldProblem(_bracketed(problem.field), problem.message) for problem in invalid.fields)
        raise InvalidFieldsError(tuple(places)) from None


def _parse(raw: bytes, offered: tuple[Language, ...], *, allow_insecure: bool, own_host: str) -> JudgeRequest:
    body = read_body(raw)
    request = checked(JudgeBody, body)
    run, problems = checked_program(request, body, offered=offered, allow_insecure=allow_insecure, own_host=own_host)
    limits = []
    for index, case in enumerate(request.cases):
        own, wrong = check_limits(case.limits, run.language, run.profile)
        problems += [FieldProblem(f"cases.{index}.{one.field}", one.message) for one in wrong]
        limits.append(own)
    problems += find_problems(request, offered)
    plan = to_plan(request)
    size = len(json.dumps(plan.to_json(), separators=(",", ":")))
    if size > PLAN_MAX_BYTES:
        text = f"The names and groups of all cases have {size:,} bytes in JSON, the limit is {PLAN_MAX_BYTES:,}."
        problems.append(FieldProblem("cases", f"{text} Send shorter names."))
    if problems:
        raise InvalidFieldsError(tuple(problems))
    judging = to_judging(request, limits)
    default_secs = run.limits.get("wall_time_secs", default_wall_secs(run.language, run.profile))
    secs = min(MAX_SECS, sum(own.get("wall_time_secs", default_secs) for own in limits))
    if any(judging.checkers[case.checker].program is not None for case in judging.cases):
        secs += CHECKERS_SECS
    return JudgeRequest(
        **{part.name: getattr(run, part.name) for part in fields(RunRequest)},
        plan=plan,
        judging=judging,
        budget_secs=math.ceil(secs),
    )


def _bracketed(place: str) -> str:
    """Return `cases[3].stdin` for `cases.3.stdin`."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", place)
