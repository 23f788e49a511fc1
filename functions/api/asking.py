"""One submission asked of a runner directly: begun once, then finished or given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.core.failpoint import reach

if TYPE_CHECKING:
    from functions.api.direct import DirectPath
    from functions.core.request import RunRequest
    from functions.core.submission import Submission
    from functions.runner import Call


@dataclass(slots=True)
class Asking:
    """`direct` None: this one goes to the queue."""

    direct: DirectPath | None
    run: RunRequest
    _call: Call | None = None
    _is_begun: bool = False

    def begin(self, row: Submission) -> None:
        """Ask, unless that was done. The answer means nothing before the row is there."""
        if self.direct is None or self._is_begun:
            return
        self._is_begun = True
        self._call = self.direct.begin(row, self.run.code, self.run.stdin)
        reach("submit.after_ask")

    def finish(self, row: Submission) -> Submission | None:
        """Wait for the answer and record it; None where the queue must be asked."""
        return None if self.direct is None or self._call is None else self.direct.finish(self._call, row)

    def abandon(self) -> None:
        """Nothing comes of it: the run goes on to its end, and what it completes belongs to no row."""
        if self._call is not None:
            self._call.abandon()
