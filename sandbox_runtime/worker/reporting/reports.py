"""All messages of one runner to the completions queue, and the deletion of the requests that they answer."""

from collections.abc import Callable
from time import monotonic

from events.judged import JudgeProgress
from events.runner import ExecutionStarted, RunnerHeartbeat
from sandbox_runtime.transport import Transport
from sandbox_runtime.worker.reporting.long_runs import LongRuns
from sandbox_runtime.worker.reporting.progress import ProgressReports
from sandbox_runtime.worker.reporting.queue_batches import BatchDeleter, BatchSender, Outgoing
from sandbox_runtime.worker.reporting.queue_health import QueueHealth


class Reports:
    """The senders of a runner. Call `close_reports_of_runs`, then `close`, when no run is left."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.health = QueueHealth()
        self.sender = BatchSender(transport, self.health)
        self.deleter = BatchDeleter(transport)
        self.long_runs = LongRuns(self._send_once)
        self.progress = ProgressReports(self._send_once)

    def send_heartbeat(self, heartbeat: RunnerHeartbeat, on_sent: Callable[[], None], retry_secs: float) -> None:
        """Queue a heartbeat, and retry for `retry_secs`."""
        self._send(heartbeat, on_sent, monotonic() + retry_secs)

    def close_reports_of_runs(self) -> None:
        """Send no more of runs under way."""
        self.long_runs.close()
        self.progress.close()

    def close(self) -> None:
        """Send and delete what is queued, then stop."""
        self.sender.close()
        self.deleter.close()

    def _send_once(self, message: ExecutionStarted | JudgeProgress) -> None:
        """Send a message that the completion replaces: it is not sent again."""
        self._send(message, lambda: None, 0.0)

    def _send(
        self,
        message: ExecutionStarted | JudgeProgress | RunnerHeartbeat,
        on_sent: Callable[[], None],
        give_up_at: float,
    ) -> None:
        # `health` logs each failed call.
        self.sender.put(Outgoing(message.serialise(), on_sent, lambda _code: None, give_up_at))
