"""`healthy`: whether the worker of this host or container has sent a heartbeat recently. It makes no call of AWS."""

import os
import sys

from sandbox_runtime import liveness, settings
from sandbox_runtime.commands import exit_codes
from sandbox_runtime.commands.failures import CommandError


def healthy() -> int:
    """Print one line and return 0, or raise CommandError. Reads the environment of the worker."""
    try:
        found = settings.liveness_settings(os.environ)
        age_secs = liveness.check(found.liveness_file, heartbeat_secs=found.heartbeat_secs)
    except (settings.SettingsInvalidError, liveness.NoSignOfLifeError) as error:
        raise CommandError(exit_codes.UNHEALTHY, f"unhealthy: {error}") from error
    sys.stdout.write(f"healthy: the last heartbeat was sent {age_secs:.0f} s ago\n")
    return 0
