"""The heartbeats of a runner: one a period, and a last one without slots."""

from collections.abc import Callable
from threading import Event, Thread

from events.runner import RunnerHeartbeat
from sandbox_runtime.background import start_background
from sandbox_runtime.liveness import Liveness
from sandbox_runtime.settings import WorkerSettings
from sandbox_runtime.worker.reporting.reports import Reports
from sandbox_runtime.worker.reporting.runner_facts import RunnerFacts


class Heartbeats:
    """Sends heartbeats until `stopping`. `busy`: counts the slots with a run. `clean_up`: called once a period."""

    def __init__(
        self,
        settings: WorkerSettings,
        slots: int,
        facts: RunnerFacts,
        reports: Reports,
        stopping: Event,
        *,
        busy: Callable[[], int],
        clean_up: Callable[[], None],
    ) -> None:
        self._settings, self._slots = settings, slots
        self._facts, self._reports = facts, reports
        self._stopping = stopping
        self._busy, self._clean_up = busy, clean_up
        self._liveness = Liveness(settings.liveness_file)
        self._liveness.begin()
        self._thread: Thread | None = None

    def start(self, quit_now: Event) -> None:
        """Start the thread."""
        self._thread = start_background(self._run, stop=quit_now)

    def join(self, timeout_secs: float) -> None:
        """Wait for the last heartbeat. Call it after `stopping` is set."""
        if self._thread is not None:
            self._thread.join(timeout_secs)

    def _run(self) -> None:
        while True:
            self._send()
            self._clean_up()
            if self._stopping.wait(self._settings.heartbeat_secs):
                self._send()
                return

    def _send(self) -> None:
        # Retried until the next one: so the health of the queue learns the end of an outage.
        self._reports.send_heartbeat(self._heartbeat(), self._liveness.show, self._settings.heartbeat_secs)

    def _heartbeat(self) -> RunnerHeartbeat:
        # While draining we report 0 slots: the service then does not count this runner as available.
        slots = 0 if self._stopping.is_set() else self._slots
        return self._facts.heartbeat(self._settings.node_id, slots=slots, busy=self._busy())
