"""The commands of the runner: `run`, `languages`, `doctor`, `worker` and `healthy`."""

import os
import sys
from collections.abc import Sequence

from sandbox_runtime import liveness, settings
from sandbox_runtime.commands import exit_codes
from sandbox_runtime.commands.arguments import OPEN_SECRETS, PROGRAM, parser
from sandbox_runtime.commands.doctor import doctor
from sandbox_runtime.commands.exit_codes import CommandError
from sandbox_runtime.commands.list_languages import list_languages, prepare_languages
from sandbox_runtime.jail import SETUP_TIMEOUT

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run one command. Returns its exit code; prints a failure as one line on stderr."""
    arguments = parser().parse_args(argv)
    try:
        if arguments.command == "healthy":
            return _healthy()
        _set_setup_timeout()
        if arguments.command in {"worker", OPEN_SECRETS}:
            # Imported here, as `run_file` below: boto3 is for the worker, and most commands need no package at all.
            from sandbox_runtime.commands.work import work  # noqa: PLC0415
            from sandbox_runtime.secret_opener import open_secrets  # noqa: PLC0415

            return work() if arguments.command == "worker" else open_secrets(arguments.control)
        if arguments.command == "languages":
            is_preparing = arguments.prepare is not None
            return (
                prepare_languages(arguments.prepare or None) if is_preparing else list_languages(is_json=arguments.json)
            )
        if arguments.command == "doctor":
            return doctor(is_json=arguments.json)
        from sandbox_runtime.commands.run_file import run_file  # noqa: PLC0415

        return run_file(arguments)
    except CommandError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return error.exit_code


def _set_setup_timeout() -> None:
    """Raises CommandError."""
    try:
        SETUP_TIMEOUT.secs = settings.setup_timeout_secs()
    except settings.SettingsInvalidError as error:
        raise CommandError(exit_codes.USAGE, str(error)) from error


def _healthy() -> int:
    """Whether the worker of this host or container has sent a heartbeat recently. It makes no call of AWS.

    Prints one line and returns 0, or raises CommandError. Reads the environment of the worker.
    """
    try:
        found = settings.liveness_settings(os.environ)
        age_secs = liveness.check(found.liveness_file, heartbeat_secs=found.heartbeat_secs)
    except (settings.SettingsInvalidError, liveness.NoSignOfLifeError) as error:
        raise CommandError(exit_codes.UNHEALTHY, f"unhealthy: {error}") from error
    sys.stdout.write(f"healthy: the last heartbeat was sent {age_secs:.0f} s ago\n")
    return 0
