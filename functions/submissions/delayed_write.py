"""Write a row on another thread after a delay, unless it is cancelled before."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.errors import UnavailableError
from functions.submissions.store import ClaimTakenError
from functions.telemetry import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools import Logger

    from functions.submissions.model import Submission


class DelayedWrite:
    """Calls `write` once after `delay_secs`, unless `stop` is called first.

    A failed write is logged. The caller's final write, or the fallback to the queue, tries again.
    """

    def __init__(self, write: Callable[[], Submission], delay_secs: float, log: Logger, ids: Mapping[str, Any]) -> None:
        self._write = write
        self._log = log
        self._ids = ids
        self._written: Submission | None = None
        self._crash: BaseException | None = None
        self._timer = threading.Timer(delay_secs, self._run)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> Submission | None:
        """Cancel the write, or wait until a started one ends. Returns the row if it was written."""
        self._timer.cancel()
        self._timer.join()
        if self._crash is not None:
            raise self._crash
        return self._written

    def _run(self) -> None:
        try:
            self._written = self._write()
        except (ClientError, BotoCoreError, UnavailableError, ClaimTakenError) as error:
            warn(self._log, "Pending row not written", self._ids, error)
        except BaseException as error:  # noqa: BLE001 - a bug, or a test's crash: raised on the caller's thread
            self._crash = error
