"""Remember that languages passed a trial since the host booted, so that a runner that starts again tries none.

The note is good for the same toolchains, runner, controls and user namespace only. Without a place to keep it, each
start tries.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from sandbox_runtime.languages.entry import Language
from sandbox_runtime.languages.toolchain import toolchain_digest

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SOURCES = Path(__file__).parents[1]


class Trials:
    """The trial of these languages in a jail with these controls. `note`: the note's file."""

    def __init__(self, languages: Sequence[Language], toolchains_dir: str, floor: tuple[str, ...], note: Path) -> None:
        self._path = note
        self._digest = hashlib.sha256("\0".join(_facts(languages, toolchains_dir, floor)).encode()).hexdigest()

    def have_passed(self) -> bool:
        """Whether the note is there."""
        try:
            return self._path.read_text(encoding="ascii") == self._digest
        except (OSError, ValueError):
            return False

    def note(self) -> None:
        """Note that all passed."""
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with suppress(OSError):  # a read-only folder, as that of the toolchains in an image
            draft.write_text(self._digest, encoding="ascii")
            draft.replace(self._path)


def _facts(languages: Sequence[Language], toolchains_dir: str, floor: tuple[str, ...]) -> Iterator[str]:
    yield _BOOT_ID.read_text(encoding="ascii")
    yield f"{Path('/proc/self/ns/user').readlink()} {' '.join(floor)}"
    for language in languages:
        yield f"{language.name} {toolchain_digest(language, toolchains_dir, '')}"
    for path in sorted(_SOURCES.rglob("*")):
        # No folder: the first import of a module in it changes its time.
        if path.is_file() and "__pycache__" not in path.parts:
            facts = path.stat()
            yield f"{path} {facts.st_size} {facts.st_mtime_ns}"
