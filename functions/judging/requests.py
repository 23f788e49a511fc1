"""Check and normalise the body of POST /api/judge.

The program is checked as that of POST /api/submit. A wrong case, checker or group raises InvalidFieldsError (422),
whose fields name the place: `cases[3].checker.code`.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from functions.errors import FieldProblem, InvalidFieldsError
from functions.http.validation import checked
from functions.judging.body import JudgeBody
from functions.judging.conversion import to_judging, to_plan
from functions.judging.model import Plan
from functions.judging.rules import find_problems
from functions.messages.judging import Judging
from functions.messages.languages import Language, RaisedCeilings, default_wall_secs
from functions.submissions.accept.execution_limits import check_limits
from functions.submissions.accept.file_fields import with_case_files
from functions.submissions.accept.requests import REFUSED_FIELDS, RunRequest, checked_program, read_body
from functions.webhooks.target.address_rules import PUBLIC_ONLY, AddressRules

MAX_SECS = 300
"""The longest judge run, without its compile steps and checker programs."""
PLAN_MAX_BYTES = 65_536
"""The names, points and groups of all cases, as a row holds them."""
CHECKERS_SECS = 120
"""Added to the budget of a judge run with checker programs, for all of them together."""
# The version of a message depends on these limits, and the cases are not always in it.
_OF_ALL_CASES = frozenset({"file_size_mb", "open_files"})
_LIMIT_OF_ALL_CASES = "This limit holds for all cases. Set it in limits of the judge run."
_NO_NETWORK = "A judge run has no network. Leave it out, or send the program to POST /api/submit with profile agent."


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
    raw: bytes,
    *,
    offered: Iterable[Language],
    rules: AddressRules = PUBLIC_ONLY,
    raised: RaisedCeilings | None = None,
) -> JudgeRequest:
    """Check a request body. `raised`: ceilings of limits. Raises ServiceError."""
    try:
        return _parse(raw, tuple(offered), rules, raised)
    except InvalidFieldsError as invalid:
        places = (FieldProblem(_bracketed(problem.field), problem.message) for problem in invalid.fields)
        raise InvalidFieldsError(tuple(places)) from None


def _parse(
    raw: bytes, offered: tuple[Language, ...], rules: AddressRules, raised: RaisedCeilings | None
) -> JudgeRequest:
    body = read_body(raw)
    request = checked(JudgeBody, body, REFUSED_FIELDS)
    run, problems = checked_program(request, body, offered, rules, raised)
    if body.get("network") is not None:
        problems.append(FieldProblem("network", _NO_NETWORK))
    limits = []
    for index, case in enumerate(request.cases):
        own, wrong = check_limits(case.limits, run.language, run.profile, raised)
        problems += [FieldProblem(f"cases.{index}.{one.field}", one.message) for one in wrong]
        of_all = [
            FieldProblem(f"cases.{index}.limits.{name}", _LIMIT_OF_ALL_CASES) for name in _OF_ALL_CASES & own.keys()
        ]
        problems += sorted(of_all, key=lambda problem: problem.field)
        limits.append(own)
    files, wrong = with_case_files(run.files, [case.files or () for case in request.cases], run.language)
    problems += wrong
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
        **{part.name: getattr(run, part.name) for part in fields(RunRequest)} | {"files": files},
        plan=plan,
        judging=judging,
        budget_secs=math.ceil(secs),
    )


def _bracketed(place: str) -> str:
    """Return `cases[3].stdin` for `cases.3.stdin`."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", place)
