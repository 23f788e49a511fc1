"""Mask secret values in a program's output."""

import json
from collections.abc import Iterable, Iterator

MASK = b"****"
MIN_SECRET_BYTES = 4
"""Masking a shorter value would make most output unreadable, and would tell where it is."""


def masked(output: bytes, secrets: Iterable[str]) -> bytes:
    """Replace every occurrence of a secret, and of each line of one with several lines, also within JSON and `repr`.

    It stops accidents, such as a printed configuration. A program that encodes a secret first can still print it.
    """
    parts = {part for secret in secrets for part in (secret, *secret.splitlines()) if len(part) >= MIN_SECRET_BYTES}
    forms = {form for part in parts for form in _forms(part)}
    for form in sorted(forms, key=len, reverse=True):  # a secret may contain another one
        output = output.replace(form.encode("utf-8", "surrogatepass"), MASK)
    return output


def _forms(text: str) -> Iterator[str]:
    """Yield a text as it is, and as JSON and Python show it in quotes.

    Python escapes single quotes only if the whole text that it shows has quotes of both kinds.
    """
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    both = "'\""
    for shown in (
        repr(both + text)[4:-1],
        ascii(both + text)[4:-1],
        repr((both + text).encode("utf-8", "surrogatepass"))[5:-1],
    ):
        yield shown
        yield shown.replace("\\'", "'")
