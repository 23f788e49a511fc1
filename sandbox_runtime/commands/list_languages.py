"""`languages`: list the languages of this host. `languages --prepare`: build the files that they need."""

import json
import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TextIO

from sandbox_runtime import settings
from sandbox_runtime.commands import exit_codes
from sandbox_runtime.commands.exit_codes import CommandError
from sandbox_runtime.jail import JailError
from sandbox_runtime.languages import (
    LANGUAGES,
    PreparationError,
    examine,
    files_so_far,
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


def prepare_languages(name: str | None = None, progress_secs: float = 10) -> int:
    """Build the files that the installed toolchains and init need, several languages at once. Raises CommandError.

    `name`: of the only language to prepare. Prints what is built, every few seconds with a count of its files.
    """
    toolchains_dir = settings.toolchains_dir(os.environ)
    if name is None:
        init_program(toolchains_dir)
    installed = present(toolchains_dir)
    missing = [
        language
        for language in installed.values()
        if name in {None, language.name} and not is_prepared(language, toolchains_dir)
    ]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        building = {threads.submit(prepare, language, toolchains_dir): language.name for language in missing}
        for language in missing:
            sys.stdout.write(f"{language.name}: building its files\n")
        sys.stdout.flush()
        _show_progress(building, toolchains_dir, progress_secs, sys.stdout)
    for future, language_name in building.items():
        if isinstance(error := future.exception(), PreparationError):
            raise CommandError(exit_codes.PLATFORM_FAILURE, f"{language_name}: {error}") from error
        future.result()
    return 0


def _show_progress(
    building: Mapping[Future[None], str], toolchains_dir: str, progress_secs: float, out: TextIO
) -> None:
    started, pending = time.monotonic(), set(building)
    while pending:
        done, pending = wait(pending, timeout=progress_secs)
        for future in pending if not done else ():
            count = files_so_far(building[future], toolchains_dir)
            if count:  # others wait for their turn
                out.write(f"{building[future]}: {count} files built, {time.monotonic() - started:.0f} s\n")
        out.flush()


def _problems(toolchains_dir: str) -> Mapping[str, str]:
    """Return the installed languages, each with the reason why it is not offered, or ""."""
    installed = present(toolchains_dir)
    if os.geteuid() != 0:
        return dict.fromkeys(installed, "")
    try:
        return examine(tuple(installed.values()), toolchains_dir)
    except JailError as error:
        raise CommandError(exit_codes.PLATFORM_FAILURE, f"the sandbox failed: {error}") from error
