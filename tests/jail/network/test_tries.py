"""A run with network reaches the hosts that it may, and nothing else. Each try works once its control is off."""

from collections.abc import Iterator

import pytest

from tests.jail.network.arena import Arena
from tests.jail.network.tries import ADDRESS, PORT, TRIES, Try


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with Arena() as opened:
        yield opened


def test_the_allowed_host_is_reached(arena: Arena) -> None:
    allowed = Try("the allowed host", "", f"reach({ADDRESS!r}, {PORT})")
    assert "ESCAPED" in arena.try_out(allowed, is_contained=False)


@pytest.mark.parametrize("attempt", TRIES, ids=lambda attempt: attempt.name)
def test_a_try_is_contained_and_works_without_its_control(arena: Arena, attempt: Try) -> None:
    contained = arena.try_out(attempt, is_contained=True)
    assert "ESCAPED" not in contained
    assert "ESCAPED" in arena.try_out(attempt, is_contained=False), contained


def test_every_try_has_a_name_of_its_own() -> None:
    assert len({attempt.name for attempt in TRIES}) == len(TRIES)
