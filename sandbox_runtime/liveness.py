"""The liveness file of a worker, for container health checks. Each sent heartbeat touches it.

The file is empty and only its modification time counts. So a crash cannot leave it half written.
"""

import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# One heartbeat may be lost and one may be late.
PERIODS_UNTIL_DEAD = 3

_LOG = logging.getLogger(__name__)


class NoSignOfLifeError(Exception):
    """The file does not show a live worker. The text says why, in one line."""


class Liveness:
    """Writes the file. If that fails, it logs the failure once; the worker goes on, and `healthy` fails."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._is_failing = False

    def begin(self) -> None:
        """Remove the file of an earlier worker. This worker is live from its first sent heartbeat on."""
        with self._logged():
            self._path.unlink(missing_ok=True)

    def show(self) -> None:
        # The worker may be root in a folder that any user can write to: do not follow a link, or block on a pipe.
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self._logged():
            file = os.open(self._path, flags, 0o644)
            try:
                os.utime(file)
            finally:
                os.close(file)

    @contextmanager
    def _logged(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self._is_failing:
                _LOG.warning("liveness file cannot be written", extra={"errno": error.errno})
            self._is_failing = True
        else:
            self._is_failing = False


def check(path: str, *, heartbeat_secs: int) -> float:
    """Return the age of the last sent heartbeat in seconds. Raises NoSignOfLifeError if it is too old.

    A time in the future counts as too old: after the clock was set back, a dead worker's file would look new.
    """
    try:
        facts = Path(path).lstat()
    except FileNotFoundError as error:
        raise NoSignOfLifeError("no heartbeat was sent yet") from error
    except OSError as error:
        raise NoSignOfLifeError(f"the liveness file cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(facts.st_mode):
        raise NoSignOfLifeError("the liveness file is not a regular file")
    age_secs = time.time() - facts.st_mtime
    most_secs = PERIODS_UNTIL_DEAD * heartbeat_secs
    if age_secs < 0:
        raise NoSignOfLifeError("the last heartbeat lies in the future: the clock was set back")
    if age_secs >= most_secs:
        raise NoSignOfLifeError(f"the last heartbeat was sent {age_secs:.0f} s ago, the limit is {most_secs} s")
    return age_secs
