"""`languages`: what this host can run, and `languages --prepare`: what has to be made before."""

import json
import os
import sys
from collections.abc import Mapping

from sandbox_runtime import settings
from sandbox_runtime.commands import exit_codes
from sandbox_runtime.commands.failures import CommandError
from sandbox_runtime.jail import JailError
from sandbox_runtime.languages import (
    LANGUAGES,
    PreparationError,
    examine,
    init_program,
    is_prepared,
    prepare,
    present,
    version,
)


def list_languages(*, is_json: bool) -> int:
    """Print every language with the version of its toolchain, or why it is not offered. Raises CommandError.

    Root tries each toolchain in the sandbox; anybody else only sees what is installed.
    """
    toolchains_dir = settings.toolchains_dir(os.environ)
    problems = _problems(toolchains_dir)
    known = {language.name: language for language in LANGUAGES}
    versions = {name: version(known[name], toolchains_dir) for name, problem in problems.items() if not problem}
    if is_json:
        sys.stdout.write(json.dumps({"languages": list(versions), "toolchains": versions}) + "\n")
    else:
        for name in known:
            text = versions.get(name) or problems.get(name, "toolchain missing")
            sys.stdout.write(f"{name:12} {text}\n")
    return 0


def prepare_languages() -> int:
    """Make what the installed toolchains and runs need once, for image builds. Raises CommandError."""
    toolchains_dir = settings.toolchains_dir(os.environ)
    init_program(toolchains_dir)
    for language in present(toolchains_dir).values():
        if is_prepared(language, toolchains_dir):
            continue
        sys.stdout.write(f"{language.name}: making its files\n")
        sys.stdout.flush()
        try:
            prepare(language, toolchains_dir)
        except PreparationError as error:
            raise CommandError(exit_codes.PLATFORM_FAILURE, f"{language.name}: {error}") from error
    return 0


def _problems(toolchains_dir: str) -> Mapping[str, str]:
    """Installed languages, with what keeps each from being offered."""
    installed = present(toolchains_dir)
    if os.geteuid() != 0:
        return dict.fromkeys(installed, "")
    try:
        return examine(tuple(installed.values()), toolchains_dir)
    except JailError as error:
        raise CommandError(exit_codes.PLATFORM_FAILURE, f"the sandbox failed: {error}") from error
