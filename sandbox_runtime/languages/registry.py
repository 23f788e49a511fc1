"""The languages of this runner. A new language is one module and one entry in LANGUAGES."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from types import MappingProxyType

from sandbox_runtime.jail import BindMount
from sandbox_runtime.languages.c import C
from sandbox_runtime.languages.entry import Language
from sandbox_runtime.languages.javascript import JAVASCRIPT
from sandbox_runtime.languages.python import PYTHON

LANGUAGES = (PYTHON, C, JAVASCRIPT)
VERSION_TIMEOUT_SECS = 10


def offered(toolchains_dir: str) -> Mapping[str, Language]:
    """Languages whose toolchain is present on this host, by name."""
    present = {language.name: language for language in LANGUAGES if language.is_present(toolchains_dir)}
    return MappingProxyType(present)


def for_file(path: str) -> Language | None:
    """Find the language by a file's extension; None for an unknown one."""
    suffix = PurePath(path).suffix
    matching = (language for language in LANGUAGES if PurePath(language.file_name).suffix == suffix)
    return next(matching, None) if suffix else None


def binds(languages: Sequence[Language], toolchains_dir: str) -> tuple[BindMount, ...]:
    """Read-only mounts that a jail needs to run these languages, each target once."""
    bundled = {
        tool.guest_path: BindMount(source=tool.host_path(toolchains_dir), target=tool.guest_path)
        for language in languages
        for tool in language.tools
        if tool.bundled_path is not None
    }
    return tuple(bundled.values())


def version(language: Language, toolchains_dir: str) -> str:
    """First line of what the toolchain says of its version, "" if it does not answer."""
    tool = language.tools[0].host_path(toolchains_dir)
    argv = [part.replace("{tool}", tool) for part in language.version_argv]
    try:
        # A clean environment: the runner's own holds credentials.
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
