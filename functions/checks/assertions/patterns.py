"""Regular expressions that a client sends, matched in time linear in the text: RE2 never backtracks.

Linear is not cheap: RE2 spends 7 s on 1 MiB with a pattern of 900 states. So text and pattern are bounded too.
"""

import re2

MAX_PATTERN_CHARS = 512
MAX_STATES = 1_000
"""Limit for all patterns of one check together. A literal character is one state; `\\pL`, every letter, has 1,200."""
SEARCHED_BYTES = 64 * 1024


class PatternError(ValueError):
    """The pattern is invalid or too large; the text says why."""


def count_states(pattern: str) -> int:
    """Return the size of a pattern in states of its automaton. Raises PatternError."""
    return int(_compile(pattern).programsize)


def is_found(pattern: str, text: bytes) -> bool:
    """Whether a valid pattern occurs in the first 64 KiB of a text."""
    occurs = _compile(pattern).search(text[:SEARCHED_BYTES].decode(errors="replace")) is not None
    re2.purge()  # its cache would keep up to 8 MiB for each of 128 patterns
    return occurs


def _compile(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        shown = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise PatternError(f"RE2 refuses the pattern: {shown[:200]}") from None
