"""Requests to runners: one execution of a run, or of a judge run, which is one program with many cases.

`submission_id` is also the id of a judge run. A `Judging` that is too large for a message is an object of the bucket
(`judging_key`). That of a stored problem is an object that all its judge runs share (`judging_object`).
"""

from typing import Annotated, Self

from msgspec import Meta

from events import MessageInvalidError
from events.files import MAX_CASES, Artifacts, CaseFileList, FileList, StoredFile, check_files, path_problem
from events.message import (
    Count,
    Measure,
    PositiveCount,
    Shape,
    Uuid,
    exactly,
    load,
    opened,
    parse,
    read,
    to_shape,
    write,
)
from events.network import Network, SecretList, check_secrets
from events.program import (
    FILES_VERSION_FIELDS,
    Arguments,
    Code,
    ForExecution,
    RequestedLimits,
    check_arguments,
)
from events.variables import EVENT_VARIABLES, MAX_VARIABLE_BYTES, MAX_VARIABLES, are_variables
from events.vocabulary import CheckerKind, Language, Protocol, Stop

MAX_STDIN_BYTES = 262_144
MAX_CASE_BYTES = 67_108_864
"""Of one input or expected output that is an object of the bucket."""
MAX_CHECKER_FILE_BYTES = 524_288
MAX_JUDGING_BYTES = 16_777_216
"""Of the object that holds a `Judging`."""
PROGRAM_KINDS = frozenset({CheckerKind.PROGRAM, CheckerKind.INTERACTOR})
STANDARD_TOTAL_SECS = 300
"""The time of all cases of a judge run together, where its request has no `total_secs`."""
MAX_PASSES = 100

Passes = Annotated[int, Meta(ge=2, le=MAX_PASSES)]
"""How often a program runs on one case at most."""

VariableName = Annotated[str, exactly("[A-Z][A-Z0-9_]{0,63}")]
Variables = Annotated[
    dict[VariableName, Annotated[str, Meta(max_length=MAX_VARIABLE_BYTES)]],
    Meta(max_length=MAX_VARIABLES + len(EVENT_VARIABLES)),
]
Name = Annotated[str, Meta(min_length=1, max_length=64)]


class ExecutionRequested(
    ForExecution,
    frozen=True,
    kw_only=True,
    tag="execution_requested",
    rename={"code": "code_base64", "stdin": "stdin_base64"},
):
    """Request one execution of a run.

    `environment`: more variables for the program. `secret_names`: those whose values are masked in its output.
    `network`: the hosts that it may reach by name; None: none. `secrets`: those that are added to its requests to their
    hosts. `files` lie in its working directory.
    `args`: arguments of the program. `artifacts`: the files of the program that are kept.
    """

    NEWER = (
        (4, frozenset({"secrets"})),
        (3, FILES_VERSION_FIELDS | {"args", "artifacts"}),
        (2, frozenset({"network"})),
    )

    stdin: Annotated[bytes, Meta(max_length=MAX_STDIN_BYTES)]
    environment: Variables | None = None
    secret_names: Annotated[tuple[VariableName, ...], Meta(max_length=MAX_VARIABLES)] | None = None
    network: Network | None = None
    secrets: SecretList | None = None
    files: FileList | None = None
    args: Arguments | None = None
    artifacts: Artifacts | None = None

    @property
    def needs_network(self) -> bool:
        return self.network is not None or self.secrets is not None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not are_variables(self.environment or {}):
            raise MessageInvalidError("environment", "must be variables that a program may get")
        check_secrets(self.secrets or ())
        check_files(self.files or ())
        if any(file.case is not None for file in self.files or ()):
            raise MessageInvalidError("files", "must have no case: only judge runs have cases")
        check_arguments("args", self.args or ())
        if isinstance(self.artifacts, tuple) and any(map(path_problem, self.artifacts)):
            raise MessageInvalidError("artifacts", "must be patterns of relative paths")


class CheckerFile(Shape, frozen=True, rename={"content": "content_base64"}):
    """A file beside the source of a checker program."""

    name: Annotated[str, exactly("[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")]
    content: Annotated[bytes, Meta(max_length=MAX_CHECKER_FILE_BYTES)]


class CheckerProgram(Shape, frozen=True, rename={"code": "code_base64"}):
    """A checker or an interactor. `files` are beside its source when it is compiled, and when it runs."""

    language: Language
    protocol: Protocol
    args: Arguments
    files: Annotated[tuple[CheckerFile, ...], Meta(max_length=16)]
    code: Code

    def __post_init__(self) -> None:
        check_arguments("args", self.args)


class Checker(Shape, frozen=True):
    """One checker. The options belong to `tokens`, `program` and `passes` to `program` and `interactor`.

    `passes`: how often a program may run on one case at most, each time with the input that the checker program wrote
    for the next pass; None: once.
    """

    kind: CheckerKind
    case_sensitive: bool | None = None
    float_abs: Measure | None = None
    float_rel: Measure | None = None
    program: CheckerProgram | None = None
    passes: Passes | None = None

    def __post_init__(self) -> None:
        if (self.program is not None) != (self.kind in PROGRAM_KINDS):
            raise MessageInvalidError("", "needs a program for these kinds only: program, interactor")
        if self.passes is not None and self.program is None:
            raise MessageInvalidError("passes", "needs one of these kinds: program, interactor")


class CaseObject(StoredFile, frozen=True):
    """An object with an input or an expected output."""

    size: Annotated[int, Meta(ge=0, le=MAX_CASE_BYTES)]


class Case(Shape, frozen=True, rename={"stdin": "stdin_base64", "expected": "expected_base64"}):
    """One case. `checker`: the place of its checker in `Judging.checkers`. `limits`: in place of those of the run.

    Its input has one of the two forms, and its expected output, if it has one.
    """

    ONE_OF = ("stdin", "stdin_object")

    args: Arguments
    limits: RequestedLimits
    checker: Count
    stdin: bytes | None = None
    expected: bytes | None = None
    group: Name | None = None
    stdin_object: CaseObject | None = None
    expected_object: CaseObject | None = None

    def __post_init__(self) -> None:
        check_arguments("args", self.args)
        self.check_one_of()
        if self.expected is not None and self.expected_object is not None:
            raise MessageInvalidError("", "must not have expected_base64 and expected_object")


class Group(Shape, frozen=True):
    """A group, and the groups that must pass before it counts.

    `stop`: after its first failure its other cases are skipped, and the groups that require it. An older runner, which
    ignores it, judges them all. None: as `Judging.stop` says.
    """

    id: Name
    requires: Annotated[tuple[Name, ...], Meta(max_length=50)]
    stop: bool | None = None


class Judging(Shape, frozen=True):
    """The data that a runner needs to judge."""

    checkers: Annotated[tuple[Checker, ...], Meta(min_length=1, max_length=MAX_CASES + 1)]
    cases: Annotated[tuple[Case, ...], Meta(min_length=1, max_length=MAX_CASES)]
    groups: Annotated[tuple[Group, ...], Meta(max_length=50)]
    stop: Stop

    def __post_init__(self) -> None:
        if any(case.checker >= len(self.checkers) for case in self.cases):
            raise MessageInvalidError("cases", "must name a checker that is there")

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read an object of the bucket. Raises MessageInvalidError."""
        return read(text, cls, MAX_JUDGING_BYTES)

    def serialise(self) -> str:
        """Return the text of an object of the bucket."""
        return write(self).decode()


class JudgeRequested(ForExecution, frozen=True, kw_only=True, tag="judge_requested", rename={"code": "code_base64"}):
    """Request one execution of a judge run. Two of `judging`, `judging_key` and `judging_object` are null or absent.

    `files` lie in the working directory of the program, in each case or in one. `passes`: the most of any checker;
    None: all have one. `total_secs`: the time of all cases together; None: STANDARD_TOTAL_SECS. An older runner
    ignores it, and has STANDARD_TOTAL_SECS too.
    """

    NEWER = ((4, frozenset({"passes"})), (3, frozenset({"judging_object"})), (2, FILES_VERSION_FIELDS))

    judging: Judging | None
    judging_key: Annotated[str, exactly("judge-inputs/[0-9A-Za-z/_-]{1,200}")] | None
    files: CaseFileList | None = None
    judging_object: StoredFile | None = None
    passes: Passes | None = None
    total_secs: PositiveCount | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_files(self.files or ())
        if sum(form is not None for form in (self.judging, self.judging_key, self.judging_object)) != 1:
            raise MessageInvalidError("judging", "must be given, or judging_key or judging_object")


type Requested = ExecutionRequested | JudgeRequested
"""A message that asks a runner for one execution."""
_REQUESTS: tuple[type[Requested], ...] = (ExecutionRequested, JudgeRequested)


class Addressee(Shape, frozen=True):
    """The ids of an execution, for its completion."""

    submission_id: Uuid
    execution_id: Uuid
    language: Language


class JudgeAddressee(Addressee, frozen=True):
    """The same of a judge run."""


def parse_request(text: str | bytes) -> Requested:
    """Read a request. Raises MessageInvalidError."""
    return parse(text, *_REQUESTS)


def addressee(text: str | bytes) -> Addressee | None:
    """Read the ids of a request that may be invalid otherwise. None: they cannot be read.

    Also None for a newer version of the message, because a newer runner may understand it.
    """
    try:
        fields = load(text)
        return to_shape(fields, JudgeAddressee if opened(fields, *_REQUESTS) is JudgeRequested else Addressee)
    except MessageInvalidError:
        return None
