"""Repeat writes that lost a race against another writer."""

from __future__ import annotations

import time
from random import SystemRandom
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TRIES = 8
_FIRST_PAUSE_SECS = 0.01
_LONGEST_PAUSE_SECS = 0.2
_random = SystemRandom()


def tries(most: int = TRIES, sleep: Callable[[float], None] = time.sleep) -> Iterator[int]:
    """Yield 0 to `most` - 1, and pause before each number but the first. Leave the loop after a success.

    The pauses are random ("full jitter"), so that two writers do not meet again, and their bound doubles each time.
    Eight tries pause 0.4 s on average, and at most 0.7 s together.
    """
    for number in range(most):
        if number:
            sleep(_random.uniform(0, min(_LONGEST_PAUSE_SECS, _FIRST_PAUSE_SECS * 2 ** (number - 1))))
        yield number
