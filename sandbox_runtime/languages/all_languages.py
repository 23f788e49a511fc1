"""The languages of this runner. A new language is one module and one entry in LANGUAGES."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from types import MappingProxyType

from events import vocabulary
from sandbox_runtime.jail import BindMount
from sandbox_runtime.languages.bash import BASH
from sandbox_runtime.languages.c import C
from sandbox_runtime.languages.cpp import CPP
from sandbox_runtime.languages.entry import Language
from sandbox_runtime.languages.go import GO
from sandbox_runtime.languages.java import JAVA
from sandbox_runtime.languages.javascript import JAVASCRIPT
from sandbox_runtime.languages.lua import LUA
from sandbox_runtime.languages.preparation import prepared_path
from sandbox_runtime.languages.python import PYTHON, with_packages
from sandbox_runtime.languages.rust import RUST
from sandbox_runtime.languages.typescript import TYPESCRIPT

LANGUAGES = (PYTHON, C, CPP, JAVA, JAVASCRIPT, TYPESCRIPT, GO, RUST, LUA, BASH)
VERSION_TIMEOUT_SECS = 10


def present(toolchains_dir: str) -> Mapping[str, Language]:
    """Return the languages whose toolchain is installed on this host, by name. `offered` also runs them."""
    found = (with_packages(language, toolchains_dir) for language in LANGUAGES if language.is_present(toolchains_dir))
    return MappingProxyType({language.name: language for language in found})


def for_file(path: str) -> Language | None:
    """Find the language of a file by its extension. None: unknown."""
    suffix = PurePath(path).suffix
    return next(
        (one for one in LANGUAGES if suffix in vocabulary.LANGUAGES[vocabulary.Language(one.name)].suffixes), None
    )


def binds(languages: Sequence[Language], toolchains_dir: str) -> tuple[BindMount, ...]:
    """Return the read-only mounts that a jail needs for these languages. Call `prepare` before."""
    mounts = [mount for language in languages for mount in _binds_of(language, toolchains_dir)]
    return tuple({mount.target: mount for mount in mounts}.values())


def _binds_of(language: Language, toolchains_dir: str) -> list[BindMount]:
    mounts = [
        BindMount(source=tool.host_path(toolchains_dir), target=tool.guest_path)
        for tool in language.tools
        if tool.bundled_path is not None
    ]
    mounts += [BindMount(source=tree, target=tree) for tree in language.shown_trees]
    mounts += [BindMount(source=source, target=target) for source, target in language.shown_folders]
    if language.prepared is not None:
        source = str(prepared_path(language.name, language.prepared, toolchains_dir))
        mounts.append(BindMount(source=source, target=language.prepared.guest_path))
    return mounts


def version(language: Language, toolchains_dir: str) -> str:
    """Return the first line of the toolchain's version output; "" if the command fails."""
    tool = language.tools[0].host_path(toolchains_dir)
    argv = [part.replace("{tool}", tool) for part in language.version_argv]
    try:
        # A clean environment, because the runner's holds credentials.
        answer = subprocess.run(
            argv,
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            timeout=VERSION_TIMEOUT_SECS,
            check=True,
            text=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return language.version_prefix + answer.stdout.partition("\n")[0].strip()
