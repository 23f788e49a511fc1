"""`judge_requested`: requests one execution of a judge run, a program with its cases and checkers."""

from dataclasses import dataclass, field
from typing import Annotated

from events.vocabulary import CheckerKind, Profile, Protocol, Stop
from sandbox_runtime.messages.codec import Check, MessageInvalidError, key, load, read
from sandbox_runtime.messages.files import MAX_CASES, CaseFileList, CompileArgs, StoredFile
from sandbox_runtime.messages.requested import MAX_CODE_BYTES, LimitOverrides
from sandbox_runtime.messages.rules import (
    Amount,
    Arguments,
    Count,
    JudgingKey,
    LanguageName,
    Timestamp,
    Uuid,
    is_file_name,
    length,
    one_of,
)

MAX_CASE_BYTES = 67_108_864
"""Of one input or expected output that is an object of the bucket."""
MAX_CHECKER_FILE_BYTES = 524_288
MAX_JUDGING_BYTES = 16_777_216
"""Of the object that holds a `Judging`."""

PROGRAM_KINDS = frozenset({"program", "interactor"})

Name = Annotated[str, length(1, 64)]


@dataclass(frozen=True, slots=True)
class CheckerFile:
    """A file beside the source of a checker program, such as a header."""

    name: Annotated[str, Check(is_file_name, "a file name")]
    content: Annotated[bytes, length(0, MAX_CHECKER_FILE_BYTES)] = key("content_base64", shown=False)


@dataclass(frozen=True, slots=True)
class CheckerProgram:
    """A checker or an interactor."""

    language: LanguageName
    protocol: Annotated[str, one_of(*Protocol)]
    args: Arguments
    files: Annotated[tuple[CheckerFile, ...], length(0, 16)]
    code: Annotated[bytes, length(0, MAX_CODE_BYTES)] = key("code_base64", shown=False)


@dataclass(frozen=True, slots=True)
class Checker:
    """One checker. The options belong to `tokens`, `program` to `program` and `interactor`."""

    kind: Annotated[str, one_of(*CheckerKind)]
    case_sensitive: bool | None = None
    float_abs: Amount | None = None
    float_rel: Amount | None = None
    program: CheckerProgram | None = None

    def __post_init__(self) -> None:
        if (self.program is not None) != (self.kind in PROGRAM_KINDS):
            raise MessageInvalidError("judging.checkers", "needs a program for these kinds only: program, interactor")


CaseObject = Annotated[
    StoredFile, Check(lambda stored: stored.size <= MAX_CASE_BYTES, f"at most {MAX_CASE_BYTES} bytes")
]


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `checker`: its place in `Judging.checkers`. `limits`: in place of those of the run.

    Its input has one of the two forms, and its expected output, if it has one.
    """

    args: Arguments
    limits: LimitOverrides
    checker: Count
    stdin: bytes | None = field(default=None, repr=False, metadata={"key": "stdin_base64"})
    expected: bytes | None = field(default=None, repr=False, metadata={"key": "expected_base64"})
    group: Name | None = None
    stdin_object: CaseObject | None = None
    expected_object: CaseObject | None = None

    def __post_init__(self) -> None:
        if (self.stdin is None) == (self.stdin_object is None):
            raise MessageInvalidError("judging.cases", "must have either stdin_base64 or stdin_object")
        if self.expected is not None and self.expected_object is not None:
            raise MessageInvalidError("judging.cases", "must not have expected_base64 and expected_object")


@dataclass(frozen=True, slots=True)
class Group:
    """A group of cases, and the groups that must pass before it counts."""

    id: Name
    requires: Annotated[tuple[Name, ...], length(0, 50)]


@dataclass(frozen=True, slots=True)
class Judging:
    """Cases, checkers, and the rule which cases are skipped after a case that failed."""

    checkers: Annotated[tuple[Checker, ...], length(1, MAX_CASES + 1)]
    cases: Annotated[tuple[Case, ...], length(1, MAX_CASES)]
    groups: Annotated[tuple[Group, ...], length(0, 50)]
    stop: Annotated[str, one_of(*Stop)]

    def __post_init__(self) -> None:
        if any(case.checker >= len(self.checkers) for case in self.cases):
            raise MessageInvalidError("judging.cases", "name a checker that is not there")


@dataclass(frozen=True, slots=True)
class JudgeRequested:
    """One execution of a judge run. `judging_key`: the object that holds `judging` if it is too large for a message.

    `judging_object`: the object of a stored problem, which all its judge runs share.
    `files` lie in the working directory of the program, in each case or in one.
    `compile_args`: more options of its compiler.
    """

    submission_id: Uuid
    execution_id: Uuid
    project_id: Annotated[str, length(1, 64)]
    language: LanguageName
    profile: Annotated[str, one_of(*Profile)]
    priority: Annotated[str, one_of("interactive", "batch")]
    limits: LimitOverrides
    requested_at: Timestamp
    judging: Judging | None
    judging_key: JudgingKey | None
    code: Annotated[bytes, length(0, MAX_CODE_BYTES)] = key("code_base64", shown=False)
    files: CaseFileList | None = None
    compile_args: CompileArgs | None = None
    judging_object: StoredFile | None = None

    def __post_init__(self) -> None:
        if sum(form is not None for form in (self.judging, self.judging_key, self.judging_object)) != 1:
            raise MessageInvalidError("judging", "must be given, or judging_key or judging_object")


def read_judging(text: str | bytes) -> Judging:
    """Read an object that holds a `Judging`. Raises MessageInvalidError."""
    return read(Judging, load(text, MAX_JUDGING_BYTES), "judging")
