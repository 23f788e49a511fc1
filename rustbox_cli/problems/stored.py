"""Send the cases of a folder to the service: small texts with the problem, other contents as files by their SHA-256."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from rustbox_cli.errors import CommandError
from rustbox_cli.problems.package import read_utf8
from rustbox_cli.problems.settings import refused
from rustbox_cli.program_input import INLINE_MAX_BYTES, store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from rustbox_cli.api import Api

CASE_MAX_BYTES = 64 * 1024 * 1024
_INLINE_TOTAL_BYTES = 2 * 1024 * 1024
"""Of all texts together, in JSON. The body of a request has at most 5 MiB."""
_CONTENTS = ("stdin", "expected")
_UPLOADS = 4
"""At a time."""


def stored_cases(
    api: Api, cases: list[dict[str, Any]], tell: Callable[[int, int], None]
) -> tuple[list[dict[str, Any]], int]:
    """Return the cases as a problem has them, and how many files were sent. Their contents are paths before.

    `tell` is called with the files that the service has by now, and their number. Raises CommandError.
    """
    texts, paths = _split(case[name] for case in cases for name in _CONTENTS if name in case)
    sent = 0
    hashes: dict[Path, str] = {}
    with ThreadPoolExecutor(_UPLOADS) as threads:
        try:
            for path, answer in zip(paths, threads.map(lambda path: store(api, path), paths), strict=True):
                hashes[path] = answer["id"]
                sent += answer["sent"]
                tell(len(hashes), len(paths))
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    return [_with_contents(case, texts, hashes) for case in cases], sent


def _split(contents: Iterable[Path]) -> tuple[dict[Path, str], list[Path]]:
    """Return small texts, and the paths of the other contents."""
    texts: dict[Path, str] = {}
    paths: list[Path] = []
    left_bytes = _INLINE_TOTAL_BYTES
    for path in dict.fromkeys(contents):
        size = path.stat().st_size
        if size > CASE_MAX_BYTES:
            raise refused(f"{path} has {size:,} bytes; an input or expected output has at most {CASE_MAX_BYTES:,}.")
        text = _small_text(path) if size <= INLINE_MAX_BYTES else None
        needed_bytes = len(json.dumps(text))
        if text is None or needed_bytes > left_bytes:
            paths.append(path)
        else:
            texts[path] = text
            left_bytes -= needed_bytes
    return texts, paths


def _small_text(path: Path) -> str | None:
    try:
        return read_utf8(path)
    except CommandError:  # no text
        return None


def _with_contents(case: dict[str, Any], texts: dict[Path, str], hashes: dict[Path, str]) -> dict[str, Any]:
    made = {name: value for name, value in case.items() if name not in _CONTENTS}
    for name in _CONTENTS:
        if (path := case.get(name)) is None:
            continue
        if path in texts:
            made[name] = texts[path]
        else:
            made[f"{name}_sha256"] = hashes[path]
    return made
