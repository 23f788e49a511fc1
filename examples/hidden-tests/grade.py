"""The tests of two functions, `add` and `mean`: what a teacher writes."""

from grading import call, expect, run


def test_add() -> None:
    expect("add", 2, 3, gives=5)
    expect("add", -1, 1, gives=0)


def test_mean() -> None:
    expect("mean", [1, 2], gives=1.5)
    assert call("mean", [7] * 1_000) == 7, "of a long list"


run(globals())
