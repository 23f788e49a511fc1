"""Programs, inputs and limits as commands read them."""

from __future__ import annotations

from typing import BinaryIO

import click

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.languages import language_of

_MAX_BYTES = 1_048_576
LIMITS = (
    "cpu_time_secs",
    "wall_time_secs",
    "memory_mb",
    "max_processes",
    "output_kb",
    "file_size_mb",
    "open_files",
    "stack_mb",
)


def language_for(file_name: str) -> str:
    """Return the language of a file name. Raises UsageError."""
    language = language_of(file_name)
    if language is None:
        raise click.UsageError(f"The language of {file_name!r} is unknown. Give --language.")
    return language


def read_text(source: BinaryIO, what: str) -> str:
    """Read a text of at most 1 MiB. Raises CommandError."""
    content = source.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise CommandError(f"{what} is larger than {_MAX_BYTES:,} bytes.", ExitCode.REFUSED)
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise CommandError(f"{what} is not UTF-8 text.", ExitCode.REFUSED) from None


def limit_value(name: str, text: str) -> float:
    """Return the number of NAME=VALUE. Raises UsageError."""
    if name not in LIMITS:
        raise click.UsageError(f"Unknown limit {name!r}. Limits: {', '.join(LIMITS)}.")
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise click.UsageError(f"{name} must be a number; got {text!r}.") from None
