"""The object of a version that all runners read, and the hash of its content."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from events.files import write_files
from events.message import by_name
from events.requested import MAX_CASE_BYTES, CaseObject
from functions.errors import FieldProblem, InvalidFieldsError
from functions.judging.problems.model import VERSION_CHARS
from functions.submissions.accept.file_fields import placed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from events.requested import Case, Judging
    from functions.files.model import File
    from functions.judging.problems.requests import ProblemRequest


FILES_MAX_BYTES = 196_608
"""Of the files of the program in JSON: the row of a version has at most 400 KB."""


def version_of(request: ProblemRequest) -> str:
    """Return the start of the hash of all that a judge run depends on. A text and a file with its bytes are equal."""
    judging = {name: value for name, value in by_name(request.judging).items() if name != "cases"}
    cases = [
        {
            **by_name(case),
            "stdin": request.stdin_files.get(index) or _hash(case.stdin),
            "expected": request.expected_files.get(index) or _hash(case.expected),
        }
        for index, case in enumerate(request.judging.cases)
    ]
    meaning = {
        **judging,
        "cases": cases,
        "plan": request.plan.to_json(),
        "limits": dict(request.limits),
        "files": [file.meaning for file in request.files],
    }
    return sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:VERSION_CHARS]


def check_sizes(request: ProblemRequest, stored: Mapping[str, File]) -> None:
    """Refuse inputs and expected outputs that are too large. Raises InvalidFieldsError."""
    if problems := tuple(_size_problems(request, stored)):
        raise InvalidFieldsError(problems)


def placed_files(request: ProblemRequest, stored: Mapping[str, File]) -> bytes | None:
    """Return the files of the program, as a message has them. Raises InvalidFieldsError."""
    files = placed(request.files, stored)
    written = write_files(files) if files else None
    if len(written or b"") > FILES_MAX_BYTES:
        text = f"Paths and contents of all files have at most {FILES_MAX_BYTES:,} bytes in JSON. Store the contents."
        raise InvalidFieldsError((FieldProblem("files", text),))
    return written


def content_of(request: ProblemRequest, stored: Mapping[str, File]) -> Judging:
    """Return the data for runners, with the objects of its files."""
    cases = tuple(_with_objects(request, stored, index, case) for index, case in enumerate(request.judging.cases))
    return request.judging.changed(cases=cases)


def contents_bytes(request: ProblemRequest, stored: Mapping[str, File]) -> int:
    """Return the bytes of all inputs and expected outputs together."""
    texts = sum(len(case.stdin or b"") + len(case.expected or b"") for case in request.judging.cases)
    hashes = (*request.stdin_files.values(), *request.expected_files.values())
    return texts + sum(stored[one].size for one in hashes)


def _hash(content: bytes | None) -> str | None:
    return None if content is None else sha256(content).hexdigest()


def _size_problems(request: ProblemRequest, stored: Mapping[str, File]) -> Iterator[FieldProblem]:
    for name, files in (("stdin", request.stdin_files), ("expected", request.expected_files)):
        for index, one in files.items():
            if (size := stored[one].size) > MAX_CASE_BYTES:
                text = f"The file has {size:,} bytes, the limit is {MAX_CASE_BYTES:,} bytes."
                yield FieldProblem(f"cases[{index}].{name}_sha256", text)


def _with_objects(request: ProblemRequest, stored: Mapping[str, File], index: int, case: Case) -> Case:
    changes: dict[str, Any] = {}
    if (stdin := request.stdin_files.get(index)) is not None:
        changes |= {"stdin": None, "stdin_object": _object(stored[stdin])}
    if (expected := request.expected_files.get(index)) is not None:
        changes |= {"expected_object": _object(stored[expected])}
    return case.changed(**changes)


def _object(file: File) -> CaseObject:
    return CaseObject(key=file.object_key, size=file.size, sha256=file.sha256)
