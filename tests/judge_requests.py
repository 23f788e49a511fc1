"""Requests of judge runs, for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from events.files import StoredFile
from events.message import format_time
from events.program import RequestedLimits
from events.requested import Case, Checker, JudgeRequested, Judging
from events.vocabulary import CheckerKind, Language, Profile, Stop


def no_object(stored: StoredFile) -> bytes:
    """Stand for the cache of files where every case has its input in it."""
    raise AssertionError(stored)


LINES = Checker(CheckerKind.LINES)


def case(stdin: bytes | None = b"", expected: bytes | None = b"42\n", **fields: Any) -> Case:
    defaults: dict[str, Any] = {"args": (), "limits": RequestedLimits(), "checker": 0}
    return Case(stdin=stdin, expected=expected, **(defaults | fields))


def judging(cases: Sequence[Case], **fields: Any) -> Judging:
    defaults: dict[str, Any] = {"checkers": (LINES,), "groups": (), "stop": Stop.NEVER}
    return Judging(cases=tuple(cases), **(defaults | fields))


def judge_requested(cases: Sequence[Case] = (), *, language: str = "python", **fields: Any) -> JudgeRequested:
    """A new request; `checkers`, `groups` and `stop` are fields of its judging part."""
    parts = {name: fields.pop(name) for name in ("checkers", "groups", "stop") if name in fields}
    made = JudgeRequested(
        submission_id=str(uuid4()),
        execution_id=str(uuid4()),
        project_id="dev",
        language=Language(language),
        profile=Profile.JUDGE,
        priority="interactive",
        limits=RequestedLimits(),
        requested_at=format_time(datetime.now(UTC)),
        judging=judging(cases or (case(),), **parts),
        judging_key=None,
        code=b"print(42)\n",
    )
    return made.changed(**fields)
