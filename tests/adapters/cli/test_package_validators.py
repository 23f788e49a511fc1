"""Arguments of problem packages: of the default validator, and of the program."""

from pathlib import Path
from typing import Any

import pytest

from rustbox_cli.errors import CommandError
from rustbox_cli.problem_cases import CaseFolder, read_case_folder


def read(folder: Path, files: dict[str, str]) -> CaseFolder:
    cases = {"problem.yaml": "name: x\n", "data/secret/1.in": "", "data/secret/1.ans": ""}
    for name, text in (cases | files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_case_folder(folder)


TOKENS: dict[str, Any] = {"kind": "tokens", "case_sensitive": False}


@pytest.mark.parametrize(
    ("words", "checker"),
    [
        ("", TOKENS),
        ("case_sensitive", TOKENS | {"case_sensitive": True}),
        ("float_tolerance 1e-6", TOKENS | {"float_abs": 1e-6, "float_rel": 1e-6}),
        (
            "float_absolute_tolerance 0 float_relative_tolerance 1e-4 case_sensitive",
            {"kind": "tokens", "case_sensitive": True, "float_abs": 0, "float_rel": 1e-4},
        ),
        ("case_sensitive space_change_sensitive", {"kind": "exact"}),
    ],
)
def test_arguments_of_the_default_validator_are_those_of_a_checker(
    tmp_path: Path, words: str, checker: dict[str, Any]
) -> None:
    assert read(tmp_path, {"problem.yaml": f"validator_flags: {words}\n"}).checker == checker


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("space_change_sensitive", "space_change_sensitive needs case_sensitive here"),
        ("case_sensitive space_change_sensitive float_tolerance 1", "and no tolerance"),
        ("case-sensitive", "has no argument 'case-sensitive'"),
        ("float_tolerance", "float_tolerance needs a number"),
        ("float_tolerance case_sensitive", "float_tolerance needs a number"),
    ],
)
def test_arguments_that_no_built_in_checker_has_are_refused(tmp_path: Path, words: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        read(tmp_path, {"problem.yaml": f"validator_flags: {words}\n"})


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("static_validator/check.py", "has a static validator"),
        ("data/secret/1.files/input.txt", "cases of a package cannot have files"),
        ("data/sample/a.files/input.txt", "cases of a package cannot have files"),
    ],
)
def test_parts_without_which_verdicts_would_be_wrong_are_refused(tmp_path: Path, part: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        read(tmp_path, {part: "x"})


def test_a_group_of_a_legacy_package_may_name_the_validator_beside_its_arguments(tmp_path: Path) -> None:
    settings = "output_validator_flags:\n  name: default\n  flags: case_sensitive\n"
    (case,) = read(tmp_path, {"data/secret/testdata.yaml": settings}).cases
    assert case["checker"] == TOKENS | {"case_sensitive": True}


def test_a_case_has_the_arguments_of_its_nearest_group(tmp_path: Path) -> None:
    files = {
        "problem.yaml": "problem_format_version: 2025-09\n",
        "data/secret/test_group.yaml": "args: [far]\n",
        "data/secret/a/test_group.yaml": "args: [near, --x]\n",
        **{f"data/secret/{name}.{suffix}": "" for name in ("a/1", "a/2", "b/1") for suffix in ("in", "ans")},
        "data/secret/a/2.yaml": "args: []\n",
    }
    cases = {case["id"]: case.get("args") for case in read(tmp_path, files).cases}
    assert cases == {"secret/1": ["far"], "secret/a/1": ["near", "--x"], "secret/a/2": None, "secret/b/1": ["far"]}
