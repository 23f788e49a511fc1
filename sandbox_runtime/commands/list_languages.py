"""`languages`: list the languages of this host. `languages --prepare`: build the files that they need."""

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

    Root runs each toolchain in the sandbox. Other users only see whether it is installed.
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
    """Build the files that the installed toolchains and init need, for image builds. Raises CommandError."""
    toolchains_dir = settings.toolchains_dir(os.environ)
    init_program(toolchains_dir)
    for language in present(toolchains_dir).values():
        if is_prepared(language, toolchains_dir):
            continue
        sys.stdout.write(f"{language.name}: building its files\n")
        sys.stdout.flush()
        try:
            prepare(language, toolchains_dir)
        except PreparationError as error:
            raise CommandError(exit_codes.PLATFORM_FAILURE, f"{language.name}: {error}") from error
    return 0


def _problems(toolchains_dir: str) -> Mapping[str, str]:
    """Return the installed languages, each with the reason why it is not offered, or ""."""
    installed = present(toolchains_dir)
    if os.geteuid() != 0:
        return dict.fromkeys(installed, "")
    try:
        return examine(tuple(installed.values()), toolchains_dir)
    except JailError as error:
        raise CommandError(exit_codes.PLATFORM_FAILURE, f"the sandbox failed: {error}") from error
