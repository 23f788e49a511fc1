"""The body of POST /api/judge, field by field. Rules hold over several fields, and `requests` checks the whole."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Protocol

from pydantic import Field

from events.requested import MAX_PASSES
from events.vocabulary import CheckerKind, Language, Stop, canonical
from events.vocabulary import Protocol as CheckerProtocol
from functions.errors import FieldProblem
from functions.http.validation import StrictModel, Text
from functions.judging.model import Aggregate, Visibility, repeated, required_groups
from functions.submissions.accept.program_fields import Arguments, Files, RequestLimits
from functions.submissions.accept.requests import CODE_MAX_BYTES, ProgramRequest

CASES_TOTAL_MAX_BYTES = 4 * 1024 * 1024
"""Inputs and expected outputs of all cases. A request must fit into a Lambda call, which has at most 6 MB."""
REQUEST_MAX_CASES = 200
"""With their contents in one request. A stored problem has up to MAX_CASES."""
MAX_FILES = 16
MAX_GROUPS = 50

Name = Annotated[str, Field(min_length=1, max_length=64)]
Points = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Tolerance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]


class CheckerRequest(StrictModel):
    """How outputs are compared. `tokens` has options; `program` and `interactor` need language, code and protocol."""

    kind: CheckerKind = Field(strict=False)
    case_sensitive: bool | None = Field(default=None, description="Of tokens; true by default.")
    float_abs: Tolerance | None = Field(default=None, description="Of tokens: the largest absolute error of a number.")
    float_rel: Tolerance | None = Field(default=None, description="Of tokens: the largest relative error of a number.")
    language: Text | None = Field(default=None, description="Of the checker program.")
    code: Text | None = Field(
        default=None, repr=False, description="At most 65,536 bytes.", json_schema_extra={"maxLength": CODE_MAX_BYTES}
    )
    protocol: CheckerProtocol | None = Field(default=None, strict=False)
    args: Arguments | None = Field(default=None, description="More arguments of the checker program.")
    files: Annotated[dict[FileName, Text], Field(max_length=MAX_FILES)] | None = Field(
        default=None, repr=False, description="Files beside the source of the checker program, by name: testlib.h."
    )
    passes: Annotated[int, Field(ge=2, le=MAX_PASSES)] | None = Field(
        default=None,
        description="Of a multi-pass problem: how often the program runs on a case at most. A checker program of the "
        "protocol kattis writes the input of the next pass into nextpass.in.",
    )


class CaseRequest(StrictModel):
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
    files: Files | None = Field(
        default=None, repr=False, description="Files of this case beside those of all cases. They are not compiled."
    )
    visibility: Visibility | None = Field(default=None, strict=False, description="full by default.")

    @property
    def hashes(self) -> tuple[str | None, str | None]:
        """The hashes of files with its input and its expected output: only of a problem."""
        return None, None

    @property
    def has_answer(self) -> bool:
        return self.expected is not None or self.hashes[1] is not None


class GroupRequest(StrictModel):
    """One group of cases."""

    id: Name
    points: Points | None = Field(default=None, description="Those of its cases together by default.")
    aggregate: Aggregate | None = Field(default=None, strict=False, description="pass_fail by default.")
    requires: Annotated[list[Name], Field(max_length=MAX_GROUPS)] | None = Field(
        default=None, description="Groups that must pass, or this one counts nothing."
    )
    stop: bool | None = Field(
        default=None,
        description="true: skip its other cases, and the groups that require it, after its first failure. By default "
        "as the field stop of the judge run says.",
    )


class CasesRequest(Protocol):
    """The fields that judge runs and problems have in common."""

    @property
    def cases(self) -> Sequence[CaseRequest]: ...

    @property
    def checker(self) -> CheckerRequest | None: ...

    @property
    def groups(self) -> Sequence[GroupRequest] | None: ...

    @property
    def stop(self) -> Stop | None: ...


class JudgeBody(ProgramRequest):
    """Body of POST /api/judge: cases, or a problem that has them. null means the default of an optional field."""

    problem: Text | None = Field(
        default=None,
        description="A stored problem, as id or id@version. Without a version: the one that was pushed last. It has "
        "cases, checker, groups and stop, and the limits that the request leaves out.",
        examples=["hello", "hello@0123456789abcdef"],
    )
    cases: Annotated[list[CaseRequest], Field(max_length=REQUEST_MAX_CASES)] = Field(
        default=[],
        description=f"Inputs and expected outputs together have at most {CASES_TOTAL_MAX_BYTES:,} bytes.",
    )
    checker: CheckerRequest | None = Field(default=None, description="lines by default; a case may have its own.")
    groups: Annotated[list[GroupRequest], Field(max_length=MAX_GROUPS)] | None = None
    stop: Stop | None = Field(
        default=None, strict=False, description="Which cases are skipped after a failure: never (default), or others."
    )


# Rules over several fields: each problem has a sentence of its own.

CASE_PART_MAX_BYTES = 1024 * 1024
"""One input, or one expected output."""
FILES_MAX_BYTES = 512 * 1024
"""The files of one checker program."""

_MOST_NAMED = 20
"""Cases in a warning."""
_PROGRAM_KINDS = frozenset({CheckerKind.PROGRAM, CheckerKind.INTERACTOR})
_TOKEN_OPTIONS = ("case_sensitive", "float_abs", "float_rel")
_PROGRAM_OPTIONS = ("language", "code", "protocol", "args", "files", "passes")
_NO_GROUP = "There is no group with this id in groups."
_NEEDED = ("language", "code", "protocol")


def find_problems(request: CasesRequest, offered: tuple[Language, ...]) -> Iterator[FieldProblem]:
    """Yield the problems of cases, checkers and groups. Places are dotted: `cases.3.checker.code`."""
    if request.checker is not None:
        yield from _checker_problems("checker", request.checker, offered)
    yield from _case_problems(request, offered)
    yield from _group_problems(request)


def unanswered_warnings(request: CasesRequest) -> tuple[str, ...]:
    """Return a sentence that names the cases that every program passes; nothing without such cases."""
    places = []
    for index, case in enumerate(request.cases):
        checker = case.checker or request.checker
        if not case.has_answer and (checker is None or checker.kind not in _PROGRAM_KINDS):
            places.append(f"cases[{index}]")
    if not places:
        return ()
    more = f" and {len(places) - _MOST_NAMED} more" if len(places) > _MOST_NAMED else ""
    text = "Every program that ends normally passes these cases, because they have neither an expected output nor a"
    return (f"{text} checker program: {', '.join(places[:_MOST_NAMED])}{more}.",)


def _case_problems(request: CasesRequest, offered: tuple[Language, ...]) -> Iterator[FieldProblem]:
    groups = {group.id for group in request.groups or ()}
    ids_of_groups = _places("groups", len(request.groups or ()), "id")
    doubles = repeated([case.id for case in request.cases if case.id is not None])
    total_bytes = 0
    for index, case in enumerate(request.cases):
        place = f"cases.{index}"
        for name, text in (("stdin", case.stdin), ("expected", case.expected)):
            size = len((text or "").encode())
            total_bytes += size
            if size > CASE_PART_MAX_BYTES:
                yield FieldProblem(
                    f"{place}.{name}", f"Has {size:,} bytes, the limit is {CASE_PART_MAX_BYTES:,} bytes."
                )
        if case.id in doubles:
            yield FieldProblem(f"{place}.id", "Another case has the same id.")
        if case.group is not None and case.group not in groups:
            yield FieldProblem(f"{place}.group", _NO_GROUP, of=ids_of_groups)
        if case.checker is not None:
            yield from _checker_problems(f"{place}.checker", case.checker, offered)
        checker = case.checker or request.checker
        if checker is not None and checker.kind is CheckerKind.INTERACTOR and case.expected is not None:
            text = "An interactor judges the conversation: leave expected out."
            yield FieldProblem(f"{place}.expected", text, of=(f"{place}.checker.kind", "checker.kind"))
    if total_bytes > CASES_TOTAL_MAX_BYTES:
        text = (
            f"Inputs and expected outputs have {total_bytes:,} bytes together, the limit is {CASES_TOTAL_MAX_BYTES:,}."
        )
        yield FieldProblem("cases", text)


def _checker_problems(place: str, checker: CheckerRequest, offered: tuple[Language, ...]) -> Iterator[FieldProblem]:
    is_program = checker.kind in _PROGRAM_KINDS
    foreign = [] if is_program else list(_PROGRAM_OPTIONS)
    foreign += [] if checker.kind is CheckerKind.TOKENS else _TOKEN_OPTIONS
    for name in foreign:
        if getattr(checker, name) is not None:
            yield FieldProblem(f"{place}.{name}", f"A checker of the kind {checker.kind} has no such option.")
    if is_program:
        yield from _program_problems(place, checker, offered)


def _program_problems(place: str, checker: CheckerRequest, offered: tuple[Language, ...]) -> Iterator[FieldProblem]:
    for name in _NEEDED:
        if not getattr(checker, name):
            yield FieldProblem(f"{place}.{name}", f"Required for a checker of the kind {checker.kind}.")
    if checker.language and canonical(checker.language) not in offered:
        text = f"This language is not supported. Offered: {', '.join(offered) or 'none at the moment'}."
        yield FieldProblem(f"{place}.language", text)
    if checker.passes is not None and checker.protocol is CheckerProtocol.TESTLIB:
        yield FieldProblem(f"{place}.passes", "Needs the protocol kattis.", of=(f"{place}.protocol",))
    size = len((checker.code or "").encode())
    if size > CODE_MAX_BYTES:
        yield FieldProblem(f"{place}.code", f"Has {size:,} bytes, the limit is {CODE_MAX_BYTES:,} bytes.")
    size = sum(len(text.encode()) for text in (checker.files or {}).values())
    if size > FILES_MAX_BYTES:
        text = f"The files have {size:,} bytes together, the limit is {FILES_MAX_BYTES:,} bytes."
        yield FieldProblem(f"{place}.files", text)


def _group_problems(request: CasesRequest) -> Iterator[FieldProblem]:
    groups, used = request.groups, {case.group for case in request.cases}
    if not groups:
        return
    ids = [group.id for group in groups]
    ids_of_groups, groups_of_cases = _places("groups", len(ids), "id"), _places("cases", len(request.cases), "group")
    doubles = repeated(ids)
    known = set(ids)
    is_whole = not doubles
    for index, group in enumerate(groups):
        place = f"groups.{index}"
        if group.id in doubles:
            yield FieldProblem(f"{place}.id", "Another group has the same id.")
        if group.id not in used:
            yield FieldProblem(f"{place}.id", "No case belongs to this group.", of=groups_of_cases)
        for number, required in enumerate(group.requires or ()):
            if required not in known:
                is_whole = False
                yield FieldProblem(f"{place}.requires.{number}", _NO_GROUP, of=ids_of_groups)
    if is_whole and required_groups({group.id: group.requires or () for group in groups}) is None:
        yield FieldProblem("groups", "Some groups require each other in a cycle.")


def _places(name: str, count: int, part: str) -> tuple[str, ...]:
    """Return the places of one field in all objects of a list; that of the list if it is empty."""
    return tuple(f"{name}.{index}.{part}" for index in range(count)) or (name,)
