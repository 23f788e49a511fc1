"""A run reaches the hosts that it may, within its limits. Each try works once its control is off."""

import pytest

from tests.jail.egress.guest import GuestRun
from tests.jail.egress.tries import HOSTS, NAME, TRIES, Try, greets
from tests.jail.egress.weaknesses import Proxies
from tests.jail.egress.world import TARGET, World


def test_the_allowed_host_is_reached(world: World, proxies: Proxies) -> None:
    world.resolver.set(NAME, TARGET)
    with GuestRun(proxies(""), world.runner, HOSTS) as run:
        assert greets(run, NAME)


@pytest.mark.parametrize("attempt", TRIES, ids=lambda attempt: attempt.name)
def test_a_try_is_contained_and_works_without_its_control(world: World, proxies: Proxies, attempt: Try) -> None:
    with GuestRun(proxies(""), world.runner, attempt.hosts) as run:
        assert not attempt.attack(world, run)
    with GuestRun(proxies(attempt.without), world.runner, attempt.hosts, is_contained=False) as run:
        assert attempt.attack(world, run)


def test_every_try_has_a_name_of_its_own() -> None:
    assert len({attempt.name for attempt in TRIES}) == len(TRIES) >= 60
