"""Mask secret values in a program's output."""

from collections.abc import Iterable

MASK = b"****"
MIN_SECRET_BYTES = 4
"""Masking a shorter value would make most output unreadable, and would tell where it is."""


def masked(output: bytes, secrets: Iterable[str]) -> bytes:
    """Replace every occurrence of a secret, and of each line of one with several lines.

    It stops accidents, such as a printed configuration. A program that encodes a secret first can still print it.
    """
    parts = {part for secret in secrets for part in (secret, *secret.splitlines())}
    for part in sorted(parts, key=len, reverse=True):  # a secret may contain another one
        if len(part) >= MIN_SECRET_BYTES:
            output = output.replace(part.encode("utf-8", "surrogatepass"), MASK)
    return output
