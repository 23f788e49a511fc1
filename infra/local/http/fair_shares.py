"""A bounded amount of something that projects share fairly: threads, connections, bytes."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoShareError(Exception):
    """There is not enough left. `is_own_fault`: this owner already holds its share."""

    def __init__(self, *, is_own_fault: bool) -> None:
        super().__init__()
        self.is_own_fault = is_own_fault


class FairShares:
    """An owner gets more while it holds less than is left.

    So one owner alone gets half, two get a third each, ten an eleventh each: some is always left for another one.
    For one thread only: the event loop's.
    """

    def __init__(self, total: int) -> None:
        self._total = self._left = total
        self._held: Counter[str] = Counter()

    def take(self, owner: str, amount: int = 1) -> bool:
        """Take an amount; False if it is more than this owner may have now."""
        if not amount:  # an owner that holds more than is left may still send requests without a body
            return self._held[owner] <= self._total // 2
        if self._held[owner] + amount > self._left:
            return False
        self.add(owner, amount)
        return True

    def add(self, owner: str, amount: int) -> None:
        """Take what cannot be refused any more."""
        self._held[owner] += amount
        self._left -= amount

    def give(self, owner: str, amount: int = 1) -> None:
        """Give an amount back."""
        self._left += amount
        self._held[owner] -= amount
        if not self._held[owner]:
            del self._held[owner]

    @contextmanager
    def holding(self, owner: str) -> Iterator[Held]:
        """Give everything back at the end that was taken in between."""
        held = Held(self, owner)
        try:
            yield held
        finally:
            if held.amount:
                self.give(owner, held.amount)

    def holds(self, owner: str) -> bool:
        """Tell whether this owner holds any."""
        return owner in self._held


class Held:
    """What one request of an owner holds."""

    def __init__(self, shares: FairShares, owner: str) -> None:
        self._shares = shares
        self._owner = owner
        self.amount = 0

    def take(self, amount: int) -> None:
        """Take more. Raises NoShareError."""
        if not self._shares.take(self._owner, amount):
            raise NoShareError(is_own_fault=self._shares.holds(self._owner))
        self.amount += amount

    def add(self, amount: int) -> None:
        """Take more, whether it is left or not."""
        if amount:
            self._shares.add(self._owner, amount)
            self.amount += amount
