"""One runner process: make and start its slots, intakes and reports; drain them.

Start: the caller opens the slots before it makes any AWS client. So no template process inherits credentials.
Drain: stop receiving. Wait up to `drain_secs` for running executions. Then stop them and return their messages.
"""

import logging
import os
import select
import socket
import ssl
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event
from time import monotonic

from events.message import MAX_MESSAGE_BYTES
from sandbox_runtime.executor import NO_CACHE, CompileCache, Networks
from sandbox_runtime.metrics import Metrics
from sandbox_runtime.retry import start_background
from sandbox_runtime.server import Routes, Server
from sandbox_runtime.settings import WorkerSettings
from sandbox_runtime.transport import Transport
from sandbox_runtime.worker.control import ControlPolls, LiveObjects, LiveOutputs, RunStops
from sandbox_runtime.worker.direct_intake import DirectIntake, RunningSubmissions
from sandbox_runtime.worker.file_cache import Fetcher, FileCache
from sandbox_runtime.worker.heartbeats import Heartbeats, RunnerFacts
from sandbox_runtime.worker.queue_intake import Poller, QueueIntake, VisibilityKeeper, polled_queues
from sandbox_runtime.worker.reports import Reports
from sandbox_runtime.worker.run_request import RequestRunner
from sandbox_runtime.worker.scheduler import Capacity
from sandbox_runtime.worker.slots import InteractorSlots, ManagedSlot, SecondSlots, SlotThreads, Work
from sandbox_runtime.worker.turns import RunnerParts

# The time in which stopped runs are reaped and their messages returned to the queue.
STOP_SECS = 10

_LOG = logging.getLogger(__name__)


class Worker:
    """Run executions until drained. `run` blocks; `drain` may be called by a signal handler.

    `managed_slots`: at least `settings.slots`; with spare ones, a slot is cleaned up while another one runs.
    `interactor_slots`: slots of interactors, which run beside those.
    `listener`: a listening socket for the direct path; None: no direct path. `tls`: None for plain HTTP on it.
    `networks`: None: it offers no network. `file_cache`: None: it refuses requests with stored files.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        transport: Transport,
        managed_slots: Sequence[ManagedSlot],
        runner_facts: RunnerFacts,
        interactor_slots: InteractorSlots,
        compile_cache: CompileCache = NO_CACHE,
        listener: socket.socket | None = None,
        tls: ssl.SSLContext | None = None,
        networks: Networks | None = None,
        file_cache: FileCache | None = None,
    ) -> None:
        self._settings = settings
        self._managed_slots, self._interactor_slots = managed_slots, interactor_slots
        self._runner_facts = runner_facts
        self._compile_cache, self._networks, self._fetcher = compile_cache, networks, Fetcher(file_cache)
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._stops = RunStops()
        self._drain_requests = 0
        self._is_held = False
        self._metrics = Metrics()
        self._stopping = Event()
        self._quit_now = Event()
        self._slots = min(settings.slots, len(managed_slots))
        work: Work = SimpleQueue()
        self._capacity = Capacity(self._slots, work.put, on_release=self._wake_if_draining)
        self._slot_threads = SlotThreads(managed_slots, work, self._capacity, self._stopping)
        self._reports = Reports(transport)
        self._heartbeats = Heartbeats(
            settings,
            self._slots,
            runner_facts,
            self._reports,
            self._stopping,
            busy=lambda: self._capacity.running,
            clean_up=self._clean_up,
        )
        self._running = RunningSubmissions(on_discard=self._wake_if_draining)
        self._transport = transport
        self._runner = self._make_runner(SecondSlots(self._capacity, work.put))
        self._keeper = VisibilityKeeper(transport, visibility_secs=settings.visibility_secs)
        self._queues = QueueIntake(
            runner=self._runner,
            transport=transport,
            keeper=self._keeper,
            deleter=self._reports.deleter,
            running=self._running,
            max_receives=settings.max_receives,
            capacity=self._capacity,
        )
        self._server = None if listener is None else Server(listener, self._routes(), tls)

    def _make_runner(self, second_slots: SecondSlots) -> RequestRunner:
        parts = RunnerParts(
            transport=self._transport,
            languages=self._runner_facts.languages,
            node_id=self._settings.node_id,
            stops=self._stops,
            live_outputs=LiveOutputs(),
            quit_now=self._quit_now,
            compile_cache=self._compile_cache,
            metrics=self._metrics,
            long_runs=self._reports.long_runs,
            progress=self._reports.progress,
            fetcher=self._fetcher,
            interactor_slots=self._interactor_slots,
            second_slots=second_slots,
            networks=self._networks,
        )
        return RequestRunner(parts, self._reports.sender)

    def _routes(self) -> Routes:
        direct = DirectIntake(self._runner, self._running, self._capacity, self._reports.health)
        return Routes(
            execute=direct.accept,
            cancel=self._stops.cancel,
            output=self._runner.parts.live_outputs.answer,
            obstacle=self._obstacle,
            metrics=self._metrics_page,
            hold=self.hold,
            token=self._settings.runner_token.encode(),
            max_body_bytes=MAX_MESSAGE_BYTES,
        )

    def _obstacle(self) -> tuple[str, str] | None:
        if self._stopping.is_set():
            return "draining", "this runner stops"
        health = self._reports.health
        return None if health.works else ("cannot_report", health.problem)

    def _clean_up(self) -> None:
        self._compile_cache.drop_expired()
        self._interactor_slots.drop_idle()

    def _metrics_page(self) -> str:
        works = self._reports.health.works
        gauges = {
            "rustbox_slots": ("Slots, each for one run.", self._slots),
            "rustbox_slots_busy": ("Slots with a run.", self._capacity.running),
            "rustbox_draining": ("1 while this runner takes no more work, because it stops.", self._stopping.is_set()),
            "rustbox_reporting": ("1 while the completions queue takes this runner's messages.", works),
        }
        return self._metrics.text(gauges, {"rustbox_runner_info": self._runner_facts.versions})

    def hold(self) -> None:
        """End the runs and take no more, but stay alive until `drain`. So no restart policy brings the intake back."""
        self._is_held = True
        self._wake()

    def drain(self) -> None:
        """Start the drain; a second call stops all runs at once. Takes no lock: safe in a signal handler."""
        self._drain_requests += 1
        self._wake()

    def run(self) -> None:
        """Work until drained, then return with every slot closed."""
        try:
            self._slot_threads.start()
            self._start_intakes()
            self._heartbeats.start(self._quit_now)
            _LOG.info("worker started", extra={"slots": self._slots, "node_id": self._settings.node_id})
            self._wait_until(lambda: self._drain_requests > 0 or self._is_held, None)
            self._finish_running()
            self._slot_threads.finish(STOP_SECS)
            self._wait_until(lambda: self._drain_requests > 0, None)
        finally:
            self._stopping.set()
            self._quit()
            if self._server is not None:
                self._server.stop()
            self._reports.close_reports_of_runs()
            self._heartbeats.join(STOP_SECS)  # the last heartbeat: this runner has no slots any more
            self._reports.close()
            for managed_slot in self._managed_slots:
                managed_slot.close()
            self._interactor_slots.close()
        _LOG.info("worker stopped", extra={"count": len(self._running)})

    def _start_intakes(self) -> None:
        """Start to take requests. The threads that keep messages invisible end with `quit_now`."""
        for queue in polled_queues(self._settings, network_support=self._networks is not None):
            poller = Poller(
                queue,
                self._transport,
                self._capacity,
                accept=self._queues.accept,
                stopping=self._stopping,
                health=self._reports.health,
                metrics=self._metrics,
            )
            start_background(poller.run, stop=self._quit_now)
        if self._server is not None:
            self._server.start()
        start_background(self._keeper.run, self._quit_now, stop=self._quit_now)
        live_objects = LiveObjects(self._transport, self._runner.parts.live_outputs)
        polls = ControlPolls(self._transport, self._settings.node_id, self._stops, live_objects)
        start_background(polls.run, self._quit_now, stop=self._quit_now)

    def _finish_running(self) -> None:
        _LOG.info("worker draining", extra={"count": len(self._running)})
        self._stopping.set()
        self._capacity.close()
        self._wait_until(
            lambda: (self._capacity.is_idle and not self._running) or self._drain_requests > 1,
            monotonic() + self._settings.drain_secs,
        )
        self._stops.drain()
        if self._drain_requests > 1:
            self._quit()
        self._wait_until(lambda: not self._running, monotonic() + STOP_SECS)
        self._quit()

    def _quit(self) -> None:
        self._quit_now.set()
        self._reports.sender.stop_retrying()

    def _wake(self) -> None:
        os.eventfd_write(self._wake_fd, 1)

    def _wake_if_draining(self) -> None:
        if self._drain_requests or self._is_held:  # else the main thread would only find that it has nothing to do
            self._wake()

    def _wait_until(self, condition: Callable[[], bool], deadline: float | None) -> None:
        poller = select.poll()
        poller.register(self._wake_fd, select.POLLIN)
        while not condition():
            left_ms = None if deadline is None else (deadline - monotonic()) * 1000
            if left_ms is not None and left_ms <= 0:
                return
            for fd, _ in poller.poll(left_ms):
                os.eventfd_read(fd)
