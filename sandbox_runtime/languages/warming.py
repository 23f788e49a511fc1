"""Keep the toolchains' files in memory on the runner's account.

A file page is charged to the group that touches it first. Charged to a guest's group, a runtime's own program text
would count as the guest's memory, and a guest at its limit would live on evicting and reading it again.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from sandbox_runtime.languages.entry import Language
from sandbox_runtime.languages.preparation import prepared_path


def warm(language: Language, toolchains_dir: str) -> None:
    """Ask the kernel to read the files now, posix_fadvise(2). Cached files cost nothing."""
    for path in _files(language, toolchains_dir):
        try:
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
        except OSError:
            continue  # the program's run finds out whether it matters


def _files(language: Language, toolchains_dir: str) -> Iterator[Path]:
    yield from language.toolchain_files(toolchains_dir)
    if language.prepared is not None:
        yield from prepared_path(language.name, language.prepared, toolchains_dir).glob("*")
