"""The fan-out of a run that nobody but the bus hears of, done by the call that waits for it.

It costs that call four requests, and `record` none. Whatever is not plain is left to `record`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.core.event_body import completed_event, whole_body
from functions.core.failpoint import reach
from functions.core.result_view import result_body

if TYPE_CHECKING:
    from functions.bus import Bus
    from functions.closing import Closing
    from functions.core.submission import Submission
    from functions.store.endpoints import EndpointStore
    from functions.store.quotas import QuotaStore


@dataclass(frozen=True, slots=True)
class ShortFanOut:
    """Parts that it needs."""

    endpoints: EndpointStore
    bus: Bus
    closing: Closing
    quotas: QuotaStore

    def fan_out(self, final: Submission) -> bool:
        """Finish it if that is short work; False if it is `record`'s. Raises what the table and the bus raise."""
        # First, as in every fan-out: what is left to `record` may wait in a queue.
        self.quotas.release(final)
        if final.webhook_url is not None or final.stdout_key is not None or final.stderr_key is not None:
            return False
        # After the commit and read consistently: an endpoint that was made a moment ago must hear of this run.
        if self.endpoints.exist(final.project_id):
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
