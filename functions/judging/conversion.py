"""Convert a checked judge request: to the plan of its row, and to the data that a runner needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.message import to_shape
from events.program import RequestedLimits
from events.requested import Case, Checker, CheckerFile, CheckerProgram, Group, Judging
from events.vocabulary import CheckerKind, Stop, canonical
from functions.judging.model import DEFAULT_POINTS, Aggregate, Plan, PlannedCase, PlannedGroup, Visibility

if TYPE_CHECKING:
    from functions.judging.body import CasesRequest, CheckerRequest


def to_plan(request: CasesRequest) -> Plan:
    """Return what scores and answers need."""
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
        cases.append(
            Case(
                stdin=(case.stdin or "").encode(),
                args=tuple(case.args or ()),
                limits=to_shape(own, RequestedLimits),
                checker=place,
                expected=None if case.expected is None else case.expected.encode(),
                group=case.group,
            )
        )
    groups = tuple(Group(id=group.id, requires=tuple(group.requires or ())) for group in request.groups or ())
    return Judging(
        checkers=tuple(checkers),
        cases=tuple(cases),
        groups=groups,
        stop=request.stop or Stop.NEVER,
    )


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
    return Checker(kind=checker.kind, program=to_shape(program, CheckerProgram))
