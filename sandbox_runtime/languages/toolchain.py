"""Digest a toolchain's files and version, so that the compile cache never mixes programs of two versions."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from sandbox_runtime import RUNNER_VERSION
from sandbox_runtime.languages.entry import Language
from sandbox_runtime.languages.gcc.linker import MOLD
from sandbox_runtime.languages.preparation import prepared_path

# All our compiler drivers call these.
_SHARED = ("/usr/bin/as", "/usr/bin/ld", MOLD)


def toolchain_digest(language: Language, toolchains_dir: str, version: str) -> str:
    """Return a hexadecimal digest of the version output and of each file's path, size and time."""
    lines = [RUNNER_VERSION, language.name, version, *_facts(language, toolchains_dir)]
    return hashlib.sha256("\0".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _facts(language: Language, toolchains_dir: str) -> Iterator[str]:
    if language.prepared is not None:
        yield str(prepared_path(language.name, language.prepared, toolchains_dir))
    others = map(Path, (*language.needed_files, *_SHARED))
    for path in (*language.toolchain_files(toolchains_dir), *others):
        try:
            facts = path.stat()
            yield f"{path} {path.resolve()} {facts.st_size} {facts.st_mtime_ns}"
        except OSError:
            yield f"{path} missing"
