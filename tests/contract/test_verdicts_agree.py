"""The verdicts of the runner and those of the functions are the same list: neither may import the other's."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

import sandbox_runtime
from functions.messages import verdict
from sandbox_runtime import classify

RUNNER = Path(sandbox_runtime.__file__).parent
FAMILIES = sorted({cause.value.partition("_")[0] for cause in verdict.Cause} - {"normal", "seccomp"})


@pytest.mark.parametrize(
    ("runners", "functions"),
    [
        (classify.Verdict, verdict.Verdict),
        (classify.Actor, verdict.Actor),
        (classify.Phase, verdict.Phase),
    ],
)
def test_both_sides_have_the_same_words(runners: type[StrEnum], functions: type[StrEnum]) -> None:
    assert {word.name: word.value for word in runners} == {word.name: word.value for word in functions}


def test_both_sides_have_the_same_causes() -> None:
    source = "".join(path.read_text() for path in [RUNNER / "classify.py", *(RUNNER / "worker").rglob("*.py")])
    named = set(re.findall(rf'"((?:{"|".join(FAMILIES)})_[a-z_]+|normal_exit|seccomp_violation|cancelled)"', source))
    assert named == {cause.value for cause in verdict.Cause}
