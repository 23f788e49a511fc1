"""Poll the queues for executions. The share policy decides when each one starts."""

import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from events.message import MAX_MESSAGE_BYTES
from sandbox_runtime.metrics import Metrics
from sandbox_runtime.retry import Backoff, start_background
from sandbox_runtime.server import Routes, Server
from sandbox_runtime.settings import WorkerSettings
from sandbox_runtime.transport import Received, Transport, TransportError
from sandbox_runtime.worker.capacity import PEEK_PERIOD_SECS, Capacity, Priority
from sandbox_runtime.worker.control import ControlPolls, LiveObjects
from sandbox_runtime.worker.direct_intake import DirectIntake, RunningSubmissions
from sandbox_runtime.worker.queue_intake import QueueIntake, VisibilityKeeper
from sandbox_runtime.worker.reports import QueueHealth, Reports
from sandbox_runtime.worker.run_request import RequestRunner

# An interactive run may take the free slot during a batch poll, so that poll is short.
BATCH_WAIT_SECS = 1

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PolledQueue:
    """One queue, and how long a poll of it may wait."""

    priority: Priority
    queue_url: str
    wait_secs: int


class Poller:
    """Poll a queue until `stopping` is set, and give each message to `accept`. Retries when the queue fails.

    `accept` also gets whether a slot was free when the poll began.
    """

    def __init__(
        self,
        queue: PolledQueue,
        transport: Transport,
        capacity: Capacity,
        accept: Callable[[Received, Priority, bool], None],
        stopping: Event,
        health: QueueHealth,
        metrics: Metrics,
    ) -> None:
        self._queue = queue
        self._transport = transport
        self._capacity = capacity
        self._accept = accept
        self._stopping = stopping
        self._health = health
        self._metrics = metrics
        self._backoff = Backoff()

    def run(self) -> None:
        """Poll until the worker stops."""
        while not self._stopping.is_set():
            # Without the reports, each receive would cost its submission one of its attempts.
            if self._health.wait(PEEK_PERIOD_SECS):
                self._poll()

    def _poll(self) -> None:
        priority = self._queue.priority
        poll = self._capacity.begin_poll(priority)
        if poll is None:
            return
        try:
            for received in self._receive(poll.most, self._queue.wait_secs if poll.may_wait else 0):
                self._accept(received, priority, poll.may_wait)
        finally:
            self._capacity.end_poll()

    def _receive(self, most: int, wait_secs: int) -> list[Received]:
        try:
            found = self._transport.receive(self._queue.queue_url, most, wait_secs)
        except TransportError as error:
            self._pause(error)
            return []
        self._backoff.reset()
        return found

    def _pause(self, error: TransportError) -> None:
        priority = self._queue.priority
        self._metrics.count_receive_error(priority.name.lower())
        delay_secs = self._backoff.next_delay_secs()
        _LOG.warning(
            "queue not reachable",
            extra={"priority": priority, "step": error.operation, "code": error.code, "delay_secs": delay_secs},
        )
        self._stopping.wait(delay_secs)


# Both intakes of a runner, started and stopped together: the pollers of the queues, and the HTTP server.


def polled_queues(settings: WorkerSettings, *, network_support: bool) -> tuple[PolledQueue, ...]:
    """Return the queues whose runs this runner takes."""
    batch_secs = min(BATCH_WAIT_SECS, settings.receive_wait_secs)
    network = PolledQueue(Priority.BATCH, settings.network_queue_url, batch_secs)
    if not settings.interactive_queue_url:  # with all slots: there are no other runs
        network = PolledQueue(Priority.INTERACTIVE, settings.network_queue_url, settings.receive_wait_secs)
    queues = (
        PolledQueue(Priority.INTERACTIVE, settings.interactive_queue_url, settings.receive_wait_secs),
        PolledQueue(Priority.BATCH, settings.batch_queue_url, batch_secs),
        *((network,) if network_support else ()),
    )
    return tuple(queue for queue in queues if queue.queue_url)


class Intakes:
    """Take executions until `stopping`. `running`: the submissions under way."""

    def __init__(
        self,
        settings: WorkerSettings,
        transport: Transport,
        runner: RequestRunner,
        running: RunningSubmissions,
        capacity: Capacity,
        reports: Reports,
        metrics: Metrics,
        stopping: Event,
    ) -> None:
        self._settings, self._transport = settings, transport
        self._runner, self._running = runner, running
        self._capacity, self._reports = capacity, reports
        self._metrics, self._stopping = metrics, stopping
        self._keeper = VisibilityKeeper(transport, visibility_secs=settings.visibility_secs)
        self._queues = QueueIntake(
            runner=runner,
            transport=transport,
            keeper=self._keeper,
            deleter=reports.deleter,
            running=running,
            max_receives=settings.max_receives,
            capacity=capacity,
        )
        self._server: Server | None = None

    def open_server(
        self,
        listener: socket.socket,
        tls: ssl.SSLContext | None,
        *,
        metrics_page: Callable[[], str],
        hold: Callable[[], None],
    ) -> None:
        """Prepare the direct path on a listening socket. `tls`: None for plain HTTP. `start` then serves it."""
        direct = DirectIntake(self._runner, self._running, self._capacity, self._reports.health)
        routes = Routes(
            execute=direct.accept,
            cancel=self._runner.parts.stops.cancel,
            output=self._runner.parts.live_outputs.answer,
            obstacle=self._obstacle,
            metrics=metrics_page,
            hold=hold,
            token=self._settings.runner_token.encode(),
            max_body_bytes=MAX_MESSAGE_BYTES,
        )
        self._server = Server(listener, routes, tls)

    def start(self, quit_now: Event) -> None:
        """Start the threads. Those that keep messages invisible end with `quit_now`."""
        for queue in polled_queues(self._settings, network_support=self._runner.parts.networks is not None):
            poller = Poller(
                queue,
                self._transport,
                self._capacity,
                accept=self._queues.accept,
                stopping=self._stopping,
                health=self._reports.health,
                metrics=self._metrics,
            )
            start_background(poller.run, stop=quit_now)
        if self._server is not None:
            self._server.start()
        start_background(self._keeper.run, quit_now, stop=quit_now)
        parts = self._runner.parts
        live_objects = LiveObjects(self._transport, parts.live_outputs)
        polls = ControlPolls(self._transport, parts.node_id, parts.stops, live_objects)
        start_background(polls.run, quit_now, stop=quit_now)

    def stop_server(self) -> None:
        """Close the connections of the direct path."""
        if self._server is not None:
            self._server.stop()

    def _obstacle(self) -> tuple[str, str] | None:
        health = self._reports.health
        if self._stopping.is_set():
            return "draining", "this runner stops"
        return None if health.works else ("cannot_report", health.problem)
