"""Read the toolchains' files into memory before guests do.

The kernel charges a file page to the first group that reads it. Charged to a guest, a runtime's program text would
count as the guest's memory, and a guest at its limit would keep evicting it and reading it again.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from sandbox_runtime.languages.data.packages import libraries
from sandbox_runtime.languages.entry import Language
from sandbox_runtime.languages.preparation import prepared_path


def warm(language: Language, toolchains_dir: str) -> None:
    """Ask the kernel to read the files now, posix_fadvise(2). Repeating it is cheap."""
    for path in _files(language, toolchains_dir):
        try:
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
        except OSError:
            continue  # if the file is needed, the trial program fails


def _files(language: Language, toolchains_dir: str) -> Iterator[Path]:
    yield from language.toolchain_files(toolchains_dir)
    yield from libraries(language)
    if language.prepared is not None:
        yield from prepared_path(language.name, language.prepared, toolchains_dir).glob("*")
