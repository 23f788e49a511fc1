"""Suggest the name that a client meant."""

from collections.abc import Collection
from difflib import get_close_matches

_SIMILARITY = 0.8
"""difflib's ratio from which a name counts as misspelt: `stdinn`, `std_in` and `codes` do, `lang` does not."""
_MAX_NAME_CHARS = 64


def intended_name(name: str, known: Collection[str]) -> str | None:
    """Return the known name that `name` misspells; None if it is known itself, or like none of them."""
    if name in known or len(name) > _MAX_NAME_CHARS:
        return None
    # `wiat` and `wait` have a ratio of 0.75 only, and so have `mode` and `code`, which are different words.
    letters = sorted(name.lower())
    candidates = [each for each in known if sorted(each) == letters]
    candidates += get_close_matches(name.lower(), known, 1, _SIMILARITY)
    return candidates[0] if candidates else None
