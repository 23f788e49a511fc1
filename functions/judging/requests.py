"""Check and normalise the body of POST /api/judge.

The program is checked as that of POST /api/submit. A wrong case, checker or group raises InvalidFieldsError (422),
whose fields name the place: `cases[3].checker.code`.
"""

import json
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from events.message import by_name, to_shape
from events.program import Program, RequestedLimits
from events.requested import Case, CaseObject, Checker, CheckerFile, CheckerProgram, Group, JudgeRequested, Judging
from events.vocabulary import CheckerKind, Language, Profile, Stop, canonical
from functions.errors import FieldProblem, InvalidFieldsError, NotFoundError
from functions.http.validation import Problems, checked
from functions.judging.body import CasesRequest, CheckerRequest, JudgeBody, find_problems, unanswered_warnings
from functions.judging.model import (
    DEFAULT_POINTS,
    Aggregate,
    Plan,
    PlannedCase,
    PlannedGroup,
    ProblemVersion,
    Visibility,
)
from functions.submissions.accept.program_fields import RequestLimits, check_limits, with_case_files
from functions.submissions.accept.requests import (
    REFUSED_FIELDS,
    ProgramRules,
    ValidSubmission,
    checked_program,
    read_body,
    wall_secs,
)
from functions.submissions.model import Kind, Submission
from functions.submissions.queues import judge_requested

# Convert a checked judge request: to the plan of its row, and to the data that a runner needs.


def to_plan(request: CasesRequest) -> Plan:
    """Return what scores and answers need."""
    checkers = [request.checker, *(case.checker for case in request.cases)]
    return Plan(
        tuple(
            PlannedCase(
                case.id,
                case.group,
                DEFAULT_POINTS if case.points is None else case.points,
                case.visibility or Visibility.FULL,
            )
            for case in request.cases
        ),
        tuple(
            PlannedGroup(group.id, group.points, group.aggregate or Aggregate.PASS_FAIL, tuple(group.requires or ()))
            for group in request.groups or ()
        ),
        max((checker.passes or 1 for checker in checkers if checker is not None), default=1),
    )


def to_judging(request: CasesRequest, limits: list[dict[str, int | float]]) -> Judging:
    """Return the data for the runner. Equal checkers are sent once."""
    checkers = [Checker(kind=CheckerKind.LINES) if request.checker is None else _to_checker(request.checker)]
    places = {checkers[0]: 0}
    cases = []
    for case, own in zip(request.cases, limits, strict=True):
        place = 0
        if case.checker is not None:
            checker = _to_checker(case.checker)
            place = places.setdefault(checker, len(checkers))
            if place == len(checkers):
                checkers.append(checker)
        stdin, expected = case.hashes
        cases.append(
            Case(
                stdin=None if stdin else (case.stdin or "").encode(),
                args=tuple(case.args or ()),
                limits=to_shape(own, RequestedLimits),
                checker=place,
                expected=None if expected or case.expected is None else case.expected.encode(),
                group=case.group,
                stdin_object=_unplaced(stdin),
                expected_object=_unplaced(expected),
            )
        )
    groups = tuple(
        Group(id=group.id, requires=tuple(group.requires or ()), stop=group.stop) for group in request.groups or ()
    )
    return Judging(
        checkers=tuple(checkers),
        cases=tuple(cases),
        groups=groups,
        stop=request.stop or Stop.NEVER,
    )


def _unplaced(sha256: str | None) -> CaseObject | None:
    """Name a file of the project, whose object is found when the problem is stored."""
    return None if sha256 is None else CaseObject(key="", size=0, sha256=sha256)


def _to_checker(checker: CheckerRequest) -> Checker:
    if checker.kind not in {CheckerKind.PROGRAM, CheckerKind.INTERACTOR}:
        return Checker(
            kind=checker.kind,
            case_sensitive=checker.case_sensitive,
            float_abs=checker.float_abs,
            float_rel=checker.float_rel,
        )
    files = sorted((checker.files or {}).items())
    program = {
        "language": canonical(checker.language or ""),
        "protocol": checker.protocol,
        "args": tuple(checker.args or ()),
        "files": tuple(CheckerFile(name=name, content=text.encode()) for name, text in files),
        "code_base64": (checker.code or "").encode(),
    }
    return Checker(kind=checker.kind, program=to_shape(program, CheckerProgram), passes=checker.passes)


TOTAL_SECS = 3_600
"""The ceiling of the time of all cases, unless the operator sets another one (`JudgeTotalSecs`)."""
PLAN_MAX_BYTES = 65_536
"""The names, points and groups of all cases, as a row holds them."""
# The version of a message depends on these limits, and the cases are not always in it.
_OF_ALL_CASES = frozenset({"file_size_mb", "open_files"})
_LIMIT_OF_ALL_CASES = "This limit holds for all cases. Set it in limits of the judge run."
_OF_PROBLEM = ("cases", "checker", "groups", "stop")
_NO_NETWORK = "A judge run has no network. Leave it out, or send the program to POST /api/submit with profile agent."


QUEUED_MAX_BYTES = 190_000
"""The largest message of a queue with its cases inside. SQS takes 256 KiB with its attributes."""
DIRECT_MAX_BYTES = 1_000_000
"""The same over HTTP: a runner reads at most 1 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidJudgeRun(ValidSubmission):
    """A valid judge run. `plan`: for scoring and views. `judging`: for the runner, or `problem` has it.

    `compresses`: its row has `judging` compressed, which functions of older revisions cannot read.
    """

    outlasts_client: ClassVar[bool] = True
    """Its row exists before it runs. Without a key, an identical body in flight is the same judge run."""

    plan: Plan
    judging: Judging | None = field(default=None, repr=False)
    problem: ProblemVersion | None = field(default=None, repr=False)
    total_secs: int
    compresses: bool = False

    @property
    def wall_budget_secs(self) -> int:
        """Wall time of all cases in whole seconds, without compile steps and checkers."""
        return self.total_secs

    @property
    def said(self) -> dict[str, Any]:
        own: dict[str, Any] = ValidSubmission.said.__get__(self)  # super() does not work in a dataclass with slots
        if self.problem is not None and self.problem.files_for(Language(self.program.language)):
            del own["files"]  # the request has none
        more: dict[str, Any] = {"kind": "judge", "plan": self.plan.to_json()}
        if self.judging is not None:
            more["judging"] = by_name(self.judging)
        if self.problem is not None:
            more["problem"] = self.problem.name
        return own | more

    @property
    def row_values(self) -> dict[str, Any]:
        summary = {"kind": Kind.JUDGE.value, "cases": len(self.plan.cases)}
        values: dict[str, Any] = {"plan": self.plan.to_json(), "summary": summary}
        if (version := self.problem) is not None:
            stored = {"key": version.object_key, "size": version.object_size, "sha256": version.object_sha256}
            return values | {"problem": version.name, "judging_object": stored}
        text = None if self.judging is None else self.judging.serialise().encode()
        return values | {"judging": zlib.compress(text) if text and self.compresses else text}

    def requested(self, row: Submission, *, is_direct: bool) -> JudgeRequested:
        """Return the message of a row that has its whole program, with its cases inside if they are small."""
        message = judge_requested(row, row.created_at, self.judging, None)
        most = DIRECT_MAX_BYTES if is_direct else QUEUED_MAX_BYTES
        if row.judging_key is None or len(message.serialise()) <= most:
            return message
        return judge_requested(row, row.created_at, None, row.judging_key)


type FindProblem = Callable[[str], ProblemVersion]
"""Returns the version that `id` or `id@version` names. Raises NotFoundError."""


def _no_problem(text: str) -> ProblemVersion:
    raise NotFoundError(f"There is no problem {text}.")


def parse_judge_request(
    raw: bytes, rules: ProgramRules, find_problem: FindProblem = _no_problem, most_secs: int = TOTAL_SECS
) -> ValidJudgeRun:
    """Check a request body. `most_secs`: the ceiling of the time of all cases. Raises ServiceError."""
    body, problems, project = read_body(raw), Problems(), rules.project
    request = checked(JudgeBody, body, REFUSED_FIELDS, problems)
    submission, limit_rules = checked_program(request, body, problems, rules)
    program = submission.program
    if body.get("network") is not None:
        problems.add([FieldProblem("network", _NO_NETWORK)])
    refusals = [] if project is None else project.refusals(Profile(program.profile))
    if request.problem is not None:
        text = "The problem has it. Leave it out."
        problems.add(FieldProblem(name, text) for name in _OF_PROBLEM if getattr(request, name))
        problems.add(refusals)
        problems.refuse()
        return _of_problem(submission, find_problem(request.problem), rules, most_secs)
    if not request.cases:
        text = "This field is required, or problem. It must not be empty."
        problems.add([FieldProblem("cases", text, of=("problem",))])
    limits = []
    for index, case in enumerate(request.cases):
        own, wrong = limit_rules.check(case.limits)
        problems.add(case_limit_problems(index, own, wrong))
        limits.append(own)
    files, wrong = with_case_files(program.files, [case.files or () for case in request.cases], limit_rules.language)
    problems.add(wrong)
    problems.add(find_problems(request, rules.offered))
    plan = to_plan(request)
    size = len(json.dumps(plan.to_json(), separators=(",", ":")))
    if size > PLAN_MAX_BYTES:
        text = f"The names and groups of all cases have {size:,} bytes in JSON, the limit is {PLAN_MAX_BYTES:,}."
        problems.add([FieldProblem("cases", f"{text} Send shorter names.")])
    problems.add(refusals)
    problems.refuse()
    judging = to_judging(request, limits)
    return _judge_run(
        replace(submission, program=replace(program, files=files)),
        unanswered_warnings(request),
        plan=plan,
        judging=judging,
        total_secs=min(most_secs, _sum_secs(program, limits, plan.passes)),
    )


def _judge_run(submission: ValidSubmission, warnings: tuple[str, ...], **values: Any) -> ValidJudgeRun:
    own = {part.name: getattr(submission, part.name) for part in fields(ValidSubmission)}
    return ValidJudgeRun(**own | {"warnings": (*submission.warnings, *warnings)}, **values)


def _of_problem(
    submission: ValidSubmission, version: ProblemVersion, rules: ProgramRules, most_secs: int
) -> ValidJudgeRun:
    """Return a judge run of a stored problem, whose limits must fit the language. Raises InvalidFieldsError."""
    texts, program = [], submission.program
    language, profile = Language(program.language), Profile(program.profile)
    for place, limits in (("", version.limits), *((f"cases[{at}].", own) for at, own in version.case_limits.items())):
        wrong = check_limits(RequestLimits.model_validate(limits), language, profile, rules.raised)[1]
        texts += [f"{place}{one.field}: {one.message}" for one in wrong]
    if missing := set(version.checker_languages) - set(rules.offered):
        texts.append(f"No checker can be written in {min(missing)} at the moment.")
    problems = [FieldProblem("problem", f"{version.name} does not fit this judge run. {text}") for text in texts]
    files = version.files_for(language)
    if version.languages and language not in version.languages:
        text = f"{version.name} takes programs in these languages: {', '.join(version.languages)}."
        problems.append(FieldProblem("language", text))
    if files and program.files:
        problems.append(FieldProblem("files", "The problem has files for the program. Leave them out."))
    if problems:
        raise InvalidFieldsError(tuple(problems))
    program = replace(
        program,
        limits={**version.limits, **program.limits},
        files=files or program.files,
    )
    plan = Plan.of_json(version.plan)
    limits_of_cases = [version.case_limits.get(str(index), {}) for index in range(len(plan.cases))]
    return _judge_run(
        replace(submission, program=program),
        version.warnings,
        plan=plan,
        problem=version,
        total_secs=min(most_secs, _sum_secs(program, limits_of_cases, plan.passes)),
    )


def _sum_secs(program: Program, limits: Sequence[Mapping[str, int | float]], passes: int) -> int:
    """Return the wall time that all cases take at most within their limits, in whole seconds."""
    default_secs = wall_secs(program)
    return math.ceil(passes * sum(own.get("wall_time_secs", default_secs) for own in limits))


def case_limit_problems(index: int, own: Mapping[str, Any], wrong: Iterable[FieldProblem]) -> Iterator[FieldProblem]:
    """Yield the problems of the limits of a case. `wrong`: those of its values."""
    for problem in wrong:
        yield FieldProblem(f"cases.{index}.{problem.field}", problem.message)
    for name in sorted(_OF_ALL_CASES & own.keys()):
        yield FieldProblem(f"cases.{index}.limits.{name}", _LIMIT_OF_ALL_CASES)
