"""Comparing an output: against a plain reference, and at the places where such comparisons go wrong."""

import math
import re
import tracemalloc
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sandbox_runtime.judging import judgement
from sandbox_runtime.judging.judgement import compare_exact, compare_lines, compare_tokens
from tests.choice import examples

# Few letters, many separators: so that equal and nearly equal texts are frequent.
PIECES = st.sampled_from(
    [b"a", b"A", b"b", b"1", b"2.5", b" ", b"\t", b"\n", b"\r\n", b"\r", b"\v", b"\f", b"\0", b"\xff"]
)
TEXTS = st.lists(PIECES, max_size=12).map(b"".join)
NUMBERS = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(-1e9, 1e9, allow_nan=False).map(repr),
    st.decimals(-1000, 1000, places=3).map(str),
)


def reference_lines(content: bytes) -> list[bytes]:
    """The rule, written plainly."""
    lines = []
    for line in content.split(b"\n"):
        while line and line[-1:] in (b" ", b"\t", b"\r", b"\v", b"\f"):
            line = line[:-1]  # noqa: PLW2901
        lines.append(line)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def reference_tokens(content: bytes) -> list[bytes]:
    return [token for token in re.split(rb"[ \t\n\r\v\f]+", content) if token]


@settings(max_examples=examples(400), deadline=None)
@given(TEXTS, TEXTS)
@example(b"", b"\n\n")
@example(b"a\r\nb\r\n", b"a\nb")
@example(b"a\n\nb", b"a\nb")
def test_lines_agree_as_the_reference_says(expected: bytes, output: bytes) -> None:
    assert (compare_lines(expected, output) is None) == (reference_lines(expected) == reference_lines(output))


@settings(max_examples=examples(400), deadline=None)
@given(TEXTS, TEXTS)
def test_tokens_agree_as_the_reference_says(expected: bytes, output: bytes) -> None:
    assert (compare_tokens(expected, output) is None) == (reference_tokens(expected) == reference_tokens(output))


@settings(max_examples=examples(400), deadline=None)
@given(TEXTS, TEXTS)
def test_exact_is_equality(expected: bytes, output: bytes) -> None:
    assert (compare_exact(expected, output) is None) == (expected == output)


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=300))
def test_every_output_agrees_with_itself(content: bytes) -> None:
    assert compare_exact(content, content) is None
    assert compare_lines(content, content + b" \r\n\n") is None
    assert compare_tokens(content, b"\n" + content + b"\t") is None


@settings(max_examples=examples(400), deadline=None)
@given(NUMBERS, NUMBERS, st.sampled_from([None, 0.0, 1e-9, 1e-3, 1.0]), st.sampled_from([None, 0.0, 1e-9, 1e-3, 0.5]))
@example("1.0", "1.001", 1e-3, None)
@example("0", "-0", 0.0, None)
def test_numbers_agree_within_the_tolerance(
    wanted: str, found: str, float_abs: float | None, float_rel: float | None
) -> None:
    agree = compare_tokens(wanted.encode(), found.encode(), float_abs=float_abs, float_rel=float_rel) is None
    if float_abs is None and float_rel is None:
        assert agree == (wanted == found)
        return
    difference = abs(Fraction(float(wanted)) - Fraction(float(found)))
    bound = max(Fraction(float_abs or 0), Fraction(float_rel or 0) * abs(Fraction(float(wanted))))
    slack = Fraction(math.ulp(float(wanted)) + math.ulp(float(found))) * 2
    if wanted == found or difference <= bound - slack:
        assert agree
    elif difference > bound + slack:
        assert not agree


@pytest.mark.parametrize(
    ("expected", "output", "agree"),
    [
        (b"1.5", b"1.50000001", True),
        (b"1.5", b"1.6", False),
        (b"1.5", b"nan", False),
        (b"nan", b"nan", True),
        (b"NaN", b"-nan", True),
        (b"nan", b"1", False),
        (b"nan", b"inf", False),
        (b"inf", b"Infinity", True),
        (b"-inf", b"-INF", True),
        (b"+inf", b"inf", True),
        (b"inf", b"-inf", False),
        (b"inf", b"nan", False),
        (b"inf", b"1", False),
        (b"0", b"-0.0", True),
        (b"-0", b"0", True),
        (b"inf", b"1e999", False),
        (b"1e999", b"1e998", False),
        (b"1e3", b"1000", True),
        (b".5", b"0.5", True),
        (b"5.", b"5", True),
        (b"+5", b"5", True),
        (b"1_0", b"10", False),
        (b"0x10", b"16", False),
        (b"1.5abc", b"1.5", False),
        ("٣".encode(), b"3", False),
        (b"YES", b"yes", False),
        (b"1.5 x", b"1.5000001 x", True),
        (b"1 2", b"12", False),
        (b"1", b"1 1", False),
        (b"1 1", b"1", False),
        (b"", b"1", False),
    ],
)
def test_numbers_are_compared_within_the_tolerances(expected: bytes, output: bytes, *, agree: bool) -> None:
    assert (compare_tokens(expected, output, float_abs=1e-6, float_rel=1e-6) is None) == agree


def test_case_is_ignored_on_demand_of_ascii_letters_only_and_also_in_invalid_text() -> None:
    for expected, output in ((b"YES", b"yes"), (b"A\xff", b"a\xff"), ("Äb".encode(), "ÄB".encode())):
        assert compare_tokens(expected, output) is not None
        assert compare_tokens(expected, output, case_sensitive=False) is None
    for expected, output in ((b"A\xff", b"a\xfe"), ("Ä".encode(), "ä".encode()), ("ß".encode(), b"ss")):
        assert compare_tokens(expected, output, case_sensitive=False) is not None


def test_invalid_text_and_nul_are_compared_as_bytes() -> None:
    assert compare_lines(b"\xff\n", b"\xff") is None
    assert compare_lines(b"\xff", b"\xfe") == "line 1 differs"
    assert compare_tokens(b"a\0b", b"a b") is not None
    assert compare_lines("é".encode(), "e\u0301".encode()) is not None


def test_a_difference_is_shown_by_its_position_and_never_by_the_expected_output() -> None:
    assert compare_lines(b"1\nsecret\n", b"1\n2\n") == "line 2 differs"
    assert compare_lines(b"1\n", b"1\n\n2\n") == "line 2 differs"
    assert compare_tokens(b"1 secret 3", b"1 2 3") == "token 2 differs"
    assert compare_tokens(b"1 2", b"1 2 3") == "2 tokens expected, 3 found"
    assert compare_exact(b"secret", b"secreT") == "byte 6 differs"
    assert compare_exact(b"secret", b"sec") == "the output ends too early"
    assert compare_exact(b"sec", b"secret") == "the output goes on after its expected end"


@pytest.mark.parametrize("compare", [compare_exact, compare_lines, compare_tokens])
def test_outputs_of_a_mebibyte_are_compared_whole(compare: object) -> None:
    assert callable(compare)
    content = b"12345 789\n" * 104_857
    assert compare(content, content) is None
    assert compare(content, content[:-2] + b"8\n") is not None
    ends_with_cr = compare(b"x\n" * 524_288, b"x\r\n" * 524_288)
    assert ends_with_cr == ("byte 2 differs" if compare is compare_exact else None)


@settings(max_examples=examples(300), deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 6))
def test_the_size_of_the_parts_that_are_split_at_a_time_changes_nothing(
    expected: bytes, output: bytes, part_bytes: int
) -> None:
    compares = (compare_lines, compare_tokens)
    whole = [compare(expected, output) for compare in compares]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judgement, "_PART_BYTES", part_bytes)
        assert [compare(expected, output) for compare in compares] == whole


@pytest.mark.parametrize("compare", [compare_lines, compare_tokens])
def test_many_short_words_need_no_more_memory_than_their_bytes(compare: Callable[[bytes, bytes], str | None]) -> None:
    expected = b"1\n" * 1_000_000
    output = expected + b"\n2"
    tracemalloc.start()
    try:
        assert compare(expected, output) is not None
        assert tracemalloc.get_traced_memory()[1] < 4 * len(expected)
    finally:
        tracemalloc.stop()
