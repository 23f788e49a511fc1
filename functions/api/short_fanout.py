"""The fan-out of a run that nobody but the bus hears of, done by the call that waits for it.

It costs that call three requests more, one after the other, and `record` none. Whatever is not plain is `record`'s.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.core.event_body import completed_event, whole_body
from functions.core.failpoint import reach
from functions.core.result_view import result_body

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from functions.bus import Bus
    from functions.closing import Closing
    from functions.core.submission import Submission
    from functions.store.endpoints import EndpointStore
    from functions.store.quotas import QuotaStore

_THREADS = 8


@dataclass(frozen=True, slots=True)
class ShortFanOut:
    """Parts that it needs."""

    endpoints: EndpointStore
    bus: Bus
    closing: Closing
    quotas: QuotaStore
    threads: Executor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "endpoints"))

    def look(self, submission: Submission) -> Callable[[], bool]:
        """Ask, beside the commit, whether the project has endpoints.

        Only when the run has ended, consistently and never from a cache: an endpoint that was there when it ended must
        hear of it.
        """
        return self.threads.submit(self.endpoints.exist, submission.project_id).result

    def fan_out(self, final: Submission, has_endpoints: Callable[[], bool]) -> bool:
        """Finish it if that is short work; False if it is `record`'s. Raises what the table and the bus raise."""
        # First, as in every fan-out: what is left to `record` may wait in a queue.
        self.quotas.release(final)
        if final.webhook_url is not None or final.stdout_key is not None or final.stderr_key is not None:
            return False
        if has_endpoints():
            return False
        body = whole_body(
            lambda stdout, stderr: result_body(final, stdout, stderr),
            stdout=final.stdout or b"",
            stderr=final.stderr or b"",
        )
        if body is None or not self.bus.fits(event := completed_event(final, body)):
            return False
        self.bus.publish(event)
        reach("submit.after_bus")
        self.closing.close(final)
        return True
