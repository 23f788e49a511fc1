"""Check the fields of a program in a request: its limits, files, arguments and compiler options, and its artifacts."""

import base64
import binascii
import dataclasses
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from events.compile_args import compile_arg_problem
from events.files import (
    CHANGED,
    MAX_ARTIFACT_PATTERNS,
    MAX_CASE_FILES,
    MAX_COMPILE_ARG_CHARS,
    MAX_COMPILE_ARGS,
    MAX_FILES,
    MAX_INLINE_BYTES,
    MAX_PATH_BYTES,
    MAX_READ_ONLY_BYTES,
    MAX_WRITABLE_BYTES,
    PlacedFile,
    StoredFile,
    files_by_case,
    name_problem,
    new_path_problem,
    path_problem,
    places_problem,
    stored_bytes,
)
from events.limits import HIGHEST_CEILINGS, LEAST_OPEN_FILES, RaisedCeilings, ceilings
from events.variables import MAX_VARIABLES, Environment
from events.variables import name_problem as variable_problem
from events.vocabulary import Language, Profile
from functions.errors import FieldProblem, InvalidFieldsError
from functions.files.model import File, Sha256
from functions.http.validation import PATTERNS_TAG, StrictModel, Text

_WHOLE = frozenset({"memory_mb", "max_processes", "output_kb", "file_size_mb", "open_files", "stack_mb"})


def _as_float(value: object) -> object:
    """Turn an integer beyond the float range into infinity: it gets the same answer as other large values."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > sys.float_info.max:
        return math.inf if value > 0 else -math.inf
    return value


# The model accepts every number: the message of `check_limits` names the ceiling. The schema shows the bounds.
Number = Annotated[float, BeforeValidator(_as_float)]


def _above_zero(most: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": most})


def _whole(most: int, least: int = 1) -> WithJsonSchema:
    return WithJsonSchema({"type": "integer", "minimum": least, "maximum": most})


class RequestLimits(StrictModel):
    """Limits of the run step. Missing or null: the language's default. Unknown names are refused.

    `GET /api/languages?detail=true` has the ceilings of this deployment, by language and profile.
    """

    cpu_time_secs: Annotated[Number, _above_zero(HIGHEST_CEILINGS["cpu_time_secs"])] | None = None
    wall_time_secs: Annotated[Number, _above_zero(HIGHEST_CEILINGS["wall_time_secs"])] | None = None
    memory_mb: Annotated[Number, _whole(HIGHEST_CEILINGS["memory_mb"])] | None = None
    max_processes: Annotated[Number, _whole(1024)] | None = None
    output_kb: Annotated[Number, _whole(HIGHEST_CEILINGS["output_kb"])] | None = None
    file_size_mb: Annotated[Number, _whole(100)] | None = None
    open_files: Annotated[Number, _whole(1024, LEAST_OPEN_FILES)] | None = None
    stack_mb: Annotated[Number, _whole(1024)] | None = None


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
            if top[name] < value <= HIGHEST_CEILINGS.get(name, 0):
                text += " The operator can raise it (LimitCeilings)."
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


_MIB = 1_048_576
_CONTENTS = ("content", "content_base64", "sha256")
_ONE_CONTENT = "A file has content, content_base64 or sha256: exactly one of them."
_INLINE = (
    f"The contents have at most {MAX_INLINE_BYTES:,} bytes together. Send larger files to /api/files, and name them by "
    "sha256."
)


class FileEntry(StrictModel):
    """A file of a request: its bytes, or the hash of one that the project stores (POST /api/files)."""

    path: Text = Field(
        min_length=1, description="Below the working directory, such as data/in.csv: at most 255 bytes and 8 parts."
    )
    content: Text | None = Field(default=None, repr=False, description="As text.")
    content_base64: Text | None = Field(default=None, repr=False, description="As bytes.")
    sha256: Sha256 | None = Field(
        default=None, description="Of a file that the project stores, or of an artifact of its runs."
    )
    read_only: bool = Field(default=False, description="true: the program cannot write it; large files need no copy.")


def _without_nul(text: str) -> str:
    """Refuse NUL: arguments of a process end there."""
    if "\0" in text:
        raise ValueError("An argument has no NUL character.")
    return text


Argument = Annotated[Text, Field(max_length=1024), AfterValidator(_without_nul)]
Arguments = Annotated[list[Argument], Field(max_length=64)]
Files = Annotated[list[FileEntry], Field(max_length=MAX_FILES)]
CompileArgs = Annotated[
    list[Annotated[Text, Field(min_length=1, max_length=MAX_COMPILE_ARG_CHARS)]], Field(max_length=MAX_COMPILE_ARGS)
]


def file_meaning(file: PlacedFile) -> dict[str, Any]:
    """Return what a request with the same Idempotency-Key must repeat: the path, the mode and the bytes."""
    digest = sha256(file.content or b"").hexdigest() if file.stored is None else file.stored.sha256
    of_case = {} if file.case is None else {"case": file.case}
    return {"path": file.path, "read_only": file.read_only, "sha256": digest} | of_case


def checked_files(
    entries: Sequence[FileEntry], compile_args: Sequence[str], language: Language | None
) -> tuple[tuple[PlacedFile, ...], list[FieldProblem]]:
    """Return the files in the order of their paths, and the problems of files and options.

    `language`: None if it is unknown. Then its own names and options are not checked.
    """
    files, problems = _checked_all(entries, language, "files")
    if not problems and (excluded := places_problem(file.path for file in files)) is not None:
        problems.append(FieldProblem("files", excluded))
    if _inline_bytes(files) > MAX_INLINE_BYTES:
        problems.append(FieldProblem("files", _INLINE))
    if language is not None:
        problems += _option_problems(compile_args, language)
    return tuple(sorted(files, key=lambda file: file.path)), problems


def with_case_files(
    common: tuple[PlacedFile, ...], cases: Iterable[Sequence[FileEntry]], language: Language | None
) -> tuple[tuple[PlacedFile, ...], list[FieldProblem]]:
    """Return the files of a judge run, those of each case last, and the problems of the latter."""
    files, problems = list(common), []
    for index, entries in enumerate(cases):
        place = f"cases.{index}.files"
        own, wrong = _checked_all(entries, language, place)
        together = [*common, *own]
        if not wrong and len(together) > MAX_FILES:
            wrong.append(FieldProblem(place, f"A case has at most {MAX_FILES} files, those of all cases included."))
        if not wrong and own and (excluded := places_problem(file.path for file in together)) is not None:
            wrong.append(FieldProblem(place, excluded))
        problems += wrong
        files += [file.changed(case=index) for file in sorted(own, key=lambda file: file.path)]
    if len(files) - len(common) > MAX_CASE_FILES:
        problems.append(FieldProblem("cases", f"The cases have at most {MAX_CASE_FILES} files of their own together."))
    if len(files) > len(common) and _inline_bytes(files) > MAX_INLINE_BYTES:
        problems.append(FieldProblem("cases", _INLINE))
    return tuple(files), problems


def _checked_all(
    entries: Sequence[FileEntry], language: Language | None, place: str
) -> tuple[list[PlacedFile], list[FieldProblem]]:
    """Return the files, those of the project without their object, and the problems. A wrong file has a stand-in."""
    files: list[PlacedFile] = []
    problems: list[FieldProblem] = []
    for index, entry in enumerate(entries):
        content, wrong = _content(entry)
        path_is_wrong = new_path_problem(entry.path) or (language and name_problem(language, entry.path))
        if path_is_wrong:
            problems.append(FieldProblem(f"{place}.{index}.path", path_is_wrong))
        if wrong is not None:
            of = tuple(f"{place}.{index}.{name}" for name in _CONTENTS)
            problems.append(FieldProblem(f"{place}.{index}.{wrong[0]}", wrong[1], of))
        path = str(index) if path_is_wrong else entry.path
        stored = StoredFile(key="", size=0, sha256=entry.sha256) if content is None and entry.sha256 else None
        files.append(PlacedFile(path, entry.read_only, None, None if stored else content or b"", stored))
    return files, problems


def _inline_bytes(files: Iterable[PlacedFile]) -> int:
    return sum(len(file.content or b"") for file in files)


def _content(entry: FileEntry) -> tuple[bytes | None, tuple[str, str] | None]:
    """Return the bytes of a file, None of a stored one; and the field that is wrong, with a sentence."""
    contents = [value for value in (entry.content, entry.content_base64, entry.sha256) if value is not None]
    if len(contents) != 1:
        return None, ("content", _ONE_CONTENT)
    if entry.content_base64 is None:
        return None if entry.content is None else entry.content.encode(), None
    try:
        return base64.b64decode(entry.content_base64, validate=True), None
    except (binascii.Error, ValueError):
        return None, ("content_base64", "The text is not base64.")


def _option_problems(options: Sequence[str], language: Language) -> Iterator[FieldProblem]:
    for index, option in enumerate(options):
        if (problem := compile_arg_problem(language, option)) is not None:
            yield FieldProblem(f"compile_args.{index}", problem)


def stored_hashes(files: Iterable[PlacedFile]) -> list[str]:
    """Return the hashes of files of the project that have no object yet."""
    return [file.stored.sha256 for file in files if file.stored is not None and not file.stored.key]


def placed(files: Sequence[PlacedFile], stored: Mapping[str, File]) -> tuple[PlacedFile, ...]:
    """Give files of the project their objects. Raises InvalidFieldsError if all are too large together."""
    made = tuple(_placed(file, stored) for file in files)
    for case, files_of_run in files_by_case(made).items():
        place = "files" if case is None else f"cases[{case}].files"
        read_only = sum(file.size_bytes for file in files_of_run if file.read_only)
        writable = sum(file.size_bytes for file in files_of_run if not file.read_only)
        _refuse_over(MAX_READ_ONLY_BYTES, read_only, place, "read-only files", ".")
        _refuse_over(MAX_WRITABLE_BYTES, writable, place, "writable files", ", or mark them read_only.")
    most = MAX_READ_ONLY_BYTES + MAX_WRITABLE_BYTES
    _refuse_over(most, stored_bytes(made), "cases", "stored files of all cases", ".")
    return made


def _refuse_over(most: int, size: int, place: str, files: str, way_out: str) -> None:
    if size > most:
        message = f"The {files} have {size:,} bytes together, the limit is {most // _MIB} MiB."
        raise InvalidFieldsError((FieldProblem(place, f"{message} Send fewer or smaller files{way_out}"),))


def _placed(file: PlacedFile, stored: Mapping[str, File]) -> PlacedFile:
    if file.stored is None or file.stored.key:
        return file
    source = stored[file.stored.sha256]
    return file.changed(stored=StoredFile(key=source.object_key, size=source.size, sha256=source.sha256))


ENV_MAX_BYTES = 2_560
"""As it is sealed for a run, escaped and with the names twice: KMS encrypts 4,096 bytes in a call."""
Variables = Annotated[dict[Text, Text], Field(max_length=MAX_VARIABLES)]


def variable_problems(env: Mapping[str, str]) -> list[FieldProblem]:
    """Return what is wrong with the field `env`."""
    problems = [
        FieldProblem(f"env.{name[:64]}", problem) for name in env if (problem := variable_problem(name)) is not None
    ]
    problems += [FieldProblem(f"env.{name[:64]}", "A value has no NUL character.") for name in env if "\0" in env[name]]
    if len(Environment(dict(env), tuple(env)).text.encode()) > ENV_MAX_BYTES:
        problems.append(FieldProblem("env", f"At most {ENV_MAX_BYTES:,} bytes of names and values, as JSON."))
    return problems


ARTIFACTS = (
    "Files that the program leaves in its working directory, kept as long as its output: "
    "patterns of their paths, or changed for all files that it made or changed. In a pattern, * stands for any "
    "characters of a name, and ** for any folders. At most 100 files of 25 MiB, 100 MiB together."
)
_EXAMPLE = "Send patterns such as out/*.png, report.csv or **/*.json."


def _artifacts_tag(asked: object) -> str | None:
    return CHANGED if asked == CHANGED else PATTERNS_TAG if isinstance(asked, list) else None


def _as_any_of(schema: dict[str, Any]) -> None:
    """Describe a union as pydantic does others: some clients of MCP know no `oneOf`."""
    schema["anyOf"] = schema.pop("oneOf")


_Patterns = Annotated[
    list[Annotated[Text, Field(min_length=1, max_length=MAX_PATH_BYTES)]],
    Field(min_length=1, max_length=MAX_ARTIFACT_PATTERNS, examples=[["out/*.png", "report.csv"]]),
]
# A plain union would answer with the problems of each of its members, under the names that pydantic has for them.
ArtifactsRequest = Annotated[
    Annotated[_Patterns, Tag(PATTERNS_TAG)] | Annotated[Literal["changed"], Tag(CHANGED)],
    Discriminator(
        _artifacts_tag,
        custom_error_type="value_error",
        custom_error_context={"error": f"Must be an array of patterns, or {CHANGED}."},
    ),
    Field(json_schema_extra=_as_any_of),
]
"""The field of a request."""


def artifact_problems(asked: list[str] | str | None) -> list[FieldProblem]:
    """Return what is wrong with the field."""
    if asked is None or asked == CHANGED:
        return []
    found = ((f"artifacts[{index}]", _problem(pattern)) for index, pattern in enumerate(asked))
    return [FieldProblem(place, problem) for place, problem in found if problem is not None]


def chosen_artifacts(asked: list[str] | str | None) -> tuple[str, ...] | str | None:
    """Return the field in the form of a row, each pattern once."""
    return asked if asked is None or isinstance(asked, str) else tuple(dict.fromkeys(asked))


def _problem(pattern: str) -> str | None:
    if any(character in pattern for character in "?[]{}"):
        return f"A pattern has * and ** only; ?, [, ], {{ and }} are not supported. {_EXAMPLE}"
    if any("**" in part and part != "**" for part in pattern.split("/")):
        return f"** stands alone between slashes. {_EXAMPLE}"
    problem = path_problem(pattern)
    return None if problem is None else f"{problem} {_EXAMPLE}"
