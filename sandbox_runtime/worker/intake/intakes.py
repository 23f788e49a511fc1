"""Both intakes of a runner, started and stopped together: the pollers of the queues, and the HTTP server."""

import socket
import ssl
from collections.abc import Callable
from threading import Event

from events.message import MAX_MESSAGE_BYTES
from sandbox_runtime.background import start_background
from sandbox_runtime.metrics import Metrics
from sandbox_runtime.server import Routes, Server
from sandbox_runtime.settings import WorkerSettings
from sandbox_runtime.transport import Transport
from sandbox_runtime.worker.control_polls import ControlPolls
from sandbox_runtime.worker.intake.direct_intake import DirectIntake
from sandbox_runtime.worker.intake.polling import BATCH_WAIT_SECS, PolledQueue, Poller
from sandbox_runtime.worker.intake.queue_intake import QueueIntake
from sandbox_runtime.worker.intake.running_submissions import RunningSubmissions
from sandbox_runtime.worker.intake.visibility import VisibilityKeeper
from sandbox_runtime.worker.live_objects import LiveObjects
from sandbox_runtime.worker.reporting.reports import Reports
from sandbox_runtime.worker.run_request import RequestRunner
from sandbox_runtime.worker.slots.capacity import Capacity
from sandbox_runtime.worker.slots.fair_share import Priority


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
