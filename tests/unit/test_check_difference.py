import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.checks.evaluation import MAX_CHARS, MAX_LINES, difference

LEFT_OUT = "… the rest is left out"


def test_equal_outputs_have_no_difference() -> None:
    assert difference(b"a\n", b"a\n") == ""


def test_a_changed_line_is_shown_with_its_neighbours() -> None:
    before = b"".join(b"%d\n" % number for number in range(20))
    assert difference(before, before.replace(b"10\n", b"ten\n")).splitlines() == [
        "--- last good output, from line 8",
        "+++ this output, from line 8",
        "@@ -1,7 +1,7 @@",
        *(" 7", " 8", " 9", "-10", "+ten", " 11", " 12", " 13"),
    ]


@pytest.mark.parametrize(
    ("before", "after"), [(b"x" * 300 + b"1", b"x" * 300 + b"2"), (b"\xff", b"\xfe"), (b"a\n", b"a"), (b"", b"a")]
)
def test_a_difference_is_never_empty(before: bytes, after: bytes) -> None:
    assert "@@" in difference(before, after)


def test_a_large_difference_says_that_it_is_cut() -> None:
    before, after = (b"".join(b"%d%s\n" % (number, end) for number in range(50_000)) for end in (b"a", b"b"))
    assert difference(before, after).endswith(LEFT_OUT)


@given(st.binary(max_size=3_000), st.binary(max_size=3_000))
def test_every_difference_is_bounded(before: bytes, after: bytes) -> None:
    found = difference(before, after)
    assert (found == "") == (before == after)
    assert len(found) <= MAX_CHARS + len(LEFT_OUT) + 1
    assert found.count("\n") <= MAX_LINES


def test_wide_lines_are_cut() -> None:
    before, after = (b"\n".join(letter * 5_000 for _ in range(100)) for letter in (b"a", b"b"))
    found = difference(before, after)
    assert max(map(len, found.split("\n"))) <= 201
    assert len(found) <= MAX_CHARS + len(LEFT_OUT) + 1
