"""Patterns of artifacts: what they match, against Python's own matching, and that no pattern is slow."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox_runtime.artifacts import ANY_FILE, Patterns
from tests.choice import examples


def matches(patterns: tuple[str, ...], path: str) -> bool:
    matcher = Patterns(patterns)
    states = matcher.start
    for name in path.split("/"):
        states = matcher.after(states, name)
    return matcher.accepts(states)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("report.csv", "report.csv", True),
        ("report.csv", "out/report.csv", False),
        ("*.csv", "report.csv", True),
        ("*.csv", "out/report.csv", False),
        ("out/*.png", "out/plot.png", True),
        ("out/*.png", "out/deep/plot.png", False),
        ("out/**", "out/deep/plot.png", True),
        ("out/**", "out", False),
        ("**/*.csv", "report.csv", True),
        ("**/*.csv", "a/b/c/report.csv", True),
        ("**/out/**/x", "a/out/x", True),
        ("**/out/**/x", "out/b/c/x", True),
        ("**/out/**/x", "b/c/x", False),
        ("*", ".hidden", True),
        ("a*b*c", "abc", True),
        ("a*b*c", "acb", False),
        ("a*a", "a", False),
        ("*ab*ba*", "aba", False),
        ("a[bc]", "ab", False),
        ("a.c", "abc", False),
    ],
)
def test_a_pattern_matches_names_and_folders(pattern: str, path: str, expected: bool) -> None:  # noqa: FBT001
    assert matches((pattern,), path) is expected


def test_any_file_matches_at_every_depth() -> None:
    assert all(matches(ANY_FILE, path) for path in ("a", "a/b", "a/b/c/d/e/f/g/h"))


NAMES = st.text(alphabet="ab", max_size=6)
PARTS = st.text(alphabet="ab*", min_size=1, max_size=6).filter(lambda part: "**" not in part)


@given(st.lists(PARTS | st.just("**"), min_size=1, max_size=4), st.lists(NAMES.filter(bool), min_size=1, max_size=5))
@settings(max_examples=examples(500), deadline=None)
def test_it_matches_as_a_regular_expression_does(parts: list[str], names: list[str]) -> None:
    *before, last = [".*/" if part == "**" else part.replace("*", "[^/]*") + "/" for part in parts]
    expression = "".join("(?:.*/)?" if part == ".*/" else part for part in before)
    expression += ".+" if last == ".*/" else last.removesuffix("/")
    path = "/".join(names)
    assert matches(("/".join(parts),), path) is (re.fullmatch(expression, path) is not None)


def test_a_hostile_pattern_takes_no_exponential_time() -> None:
    began = time.monotonic()
    for _ in range(100):
        assert not matches(("*a" * 120 + "b",), "a" * 255)
        assert not matches(("/".join(["**"] * 7 + ["b"]),), "/".join("aaaaaaaa"))
    assert time.monotonic() - began < 60
