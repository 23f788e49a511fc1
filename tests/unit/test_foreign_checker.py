"""The comparisons of sinol and DMOJ that the command line sends as a checker program."""

import json
from pathlib import Path
from typing import Any

import pytest

from rustbox_cli.foreign_checker import COMPARISONS, main

BY_LINE = [
    ("1  2 \n3\n", "1 2\n3", True),
    ("1 2\n3\n\n\n", "1 2\n3\n", True),
    ("1\n2\n3\n", "1 2\n3\n", False),
    ("1 2\n\n3\n", "1 2\n3\n", False),
    ("1\0 2\n", "1 2\n", True),
    ("", "", True),
    ("1", "", False),
    ("A", "a", False),
]
STANDARD = [
    ("1  2\n3", "1 2\n\n\n3\n", True),
    ("\n\n1 2\n3", "1 2\r\n3\n", True),
    ("1\n2\n3\n", "1 2\n3\n", False),
    ("1 2 3", "1 2\n3", False),
    ("12", "1", False),
    ("1", "12", False),
    ("", " \n", True),
]
OTHERS: list[tuple[str, dict[str, Any], str, str, float]] = [
    ("easy", {}, "b A", "ab\n", True),
    ("easy", {}, "aab", "ab", False),
    ("rstripped", {}, "a \nb\n", "a\nb\n", True),
    ("rstripped", {}, "a\n\nb\n", "a\nb\n", False),
    ("rstripped", {"filter_new_line": True}, "a\n\nb\n", "a\nb\n", True),
    ("rstripped", {}, " a\n", "a\n", False),
    ("sorted", {}, "b c\na\n", "a\nb  c\n", True),
    ("sorted", {}, "c b\na\n", "a\nb c\n", False),
    ("sorted", {"split_on": "whitespace"}, "c b\na\n", "a\nb c\n", True),
    ("sorted", {"split_on": "whitespace"}, "c b", "a\nb c\n", False),
    ("linematches", {"point_distribution": [1, 3]}, "a\nx\n", "a\nb\n", 0.25),
    ("linematches", {"point_distribution": [1, 3]}, "a\nb\n", "a\nb\n", 1),
    ("linematches", {"point_distribution": [1, 3]}, "a\n", "a\nb\n", 0),
    ("linematches", {"point_distribution": [1, 3], "filler_lines_required": False}, "a\n", "a\nb\n", 0.25),
    ("floats", {"precision": 2}, "1.005 x\n", "1.0  x\n", True),
    ("floats", {"precision": 2}, "1.02\n", "1.0\n", False),
    ("floats", {"precision": 2}, "1005\n", "1000\n", True),
    ("floats", {"precision": 2, "error_mode": "absolute"}, "1005\n", "1000\n", False),
    ("floats", {"precision": 2, "error_mode": "relative"}, "0.001\n", "0\n", False),
    ("floats", {"precision": 2, "error_mode": "relative"}, "-1005\n", "-1000\n", True),
    ("floats", {}, "nan\n", "nan\n", False),
    ("floats", {}, "1\n2\n", "1 2\n", False),
    ("floats", {}, "x\n", "1\n", False),
    ("floats", {}, "x\n", "y\n", False),
]
CASES = [
    *(("by_line", {}, *rest) for rest in BY_LINE),
    *(("standard", {}, *rest) for rest in STANDARD),
    *OTHERS,
]


@pytest.mark.parametrize(("name", "options", "output", "answer", "share"), CASES)
def test_an_output_is_compared_as_there(
    name: str, options: dict[str, Any], output: str, answer: str, share: float
) -> None:
    assert COMPARISONS[name](output.encode(), answer.encode(), **options) == share


@pytest.mark.parametrize(
    ("output", "code", "said"), [("a\nb\n", 0, ""), ("a\nx\n", 7, "points 2.500000\n"), ("x\nx", 1, "")]
)
def test_the_exit_code_is_that_of_testlib(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str, code: int, said: str
) -> None:
    paths = [tmp_path / name for name in ("input", "output", "answer")]
    for path, text in zip(paths, ("", output, "a\nb\n"), strict=True):
        path.write_text(text)
    options = {"point_distribution": [1, 3], "points": 10}
    assert main([*map(str, paths), "linematches", json.dumps(options)]) == code
    assert capsys.readouterr().err == said
