"""One runner process: start and stop its slots, pollers, direct path and heartbeats.

Start: the caller opens the slots before it makes any AWS client. So no template process inherits credentials.
Drain: stop receiving. Wait up to `drain_secs` for running executions. Then cancel them and return their messages.
"""

import logging
import os
import select
import socket
import ssl
from collections.abc import Callable, Sequence
from threading import Event, Thread
from time import monotonic

from sandbox_runtime.background import start_background
from sandbox_runtime.executor import NO_CACHE, CompileCache
from sandbox_runtime.liveness import Liveness
from sandbox_runtime.messages import MAX_MESSAGE_BYTES, ExecutionStarted, JudgeProgress, RunnerHeartbeat, serialise
from sandbox_runtime.metrics import Metrics
from sandbox_runtime.server import Routes, Server
from sandbox_runtime.settings import WorkerSettings
from sandbox_runtime.transport import Transport
from sandbox_runtime.worker.intake.direct_intake import DirectIntake
from sandbox_runtime.worker.intake.polling import BATCH_WAIT_SECS, PolledQueue, Poller
from sandbox_runtime.worker.intake.queue_intake import QueueIntake
from sandbox_runtime.worker.intake.running_submissions import RunningSubmissions
from sandbox_runtime.worker.intake.visibility import VisibilityKeeper
from sandbox_runtime.worker.reporting.long_runs import LongRuns
from sandbox_runtime.worker.reporting.progress import ProgressReports
from sandbox_runtime.worker.reporting.queue_batches import BatchDeleter, BatchSender, Outgoing
from sandbox_runtime.worker.reporting.queue_health import Reporting
from sandbox_runtime.worker.reporting.runner_facts import RunnerFacts
from sandbox_runtime.worker.run_request import RequestRunner
from sandbox_runtime.worker.runner_parts import RunnerParts
from sandbox_runtime.worker.slots.capacity import Capacity
from sandbox_runtime.worker.slots.interactor_slots import InteractorSlots
from sandbox_runtime.worker.slots.managed_slot import ManagedSlot
from sandbox_runtime.worker.slots.second_slot import SecondSlots
from sandbox_runtime.worker.slots.slot_share import Priority
from sandbox_runtime.worker.slots.slot_threads import SlotThreads

# The time after a cancellation in which killed runs are reaped and their messages returned to the queue.
CANCEL_SECS = 10

_LOG = logging.getLogger(__name__)


class Worker:
    """Run executions until drained. `run` blocks; `drain` may be called by a signal handler.

    `managed_slots`: at least `settings.slots`; with spare ones, a slot is cleaned up while another one runs.
    `interactor_slots`: slots of interactors, which run beside those.
    `listener`: a listening socket for the direct path; None: no direct path. `tls`: None for plain HTTP on it.
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
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._managed_slots, self._interactor_slots = managed_slots, interactor_slots
        self._runner_facts = runner_facts
        self._compile_cache = compile_cache
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._cancel_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._drain_requests = 0
        self._is_held = False
        self._metrics = Metrics()
        self._stopping = Event()
        self._quit_now = Event()
        self._slots = min(settings.slots, len(managed_slots))
        self._capacity = Capacity(self._slots, on_release=self._wake_if_draining)
        self._slot_threads = SlotThreads(managed_slots, self._capacity, self._stopping)
        self._keeper = VisibilityKeeper(transport, visibility_secs=settings.visibility_secs)
        self._liveness = Liveness(settings.liveness_file)
        self._liveness.begin()
        self._reporting = Reporting()
        self._sender = BatchSender(transport, self._reporting)
        self._deleter = BatchDeleter(transport)
        self._long_runs = LongRuns(self._send_once)
        self._progress = ProgressReports(self._send_once)
        self._running = RunningSubmissions(on_discard=self._wake_if_draining)
        runner = self._make_runner()
        self._intake = self._make_intake(runner)
        self._beats: Thread | None = None
        self._server = None if listener is None else self._make_server(runner, listener, tls)

    def _make_runner(self) -> RequestRunner:
        parts = RunnerParts(
            transport=self._transport,
            languages=self._runner_facts.languages,
            node_id=self._settings.node_id,
            cancel_fd=self._cancel_fd,
            quit_now=self._quit_now,
            compile_cache=self._compile_cache,
            metrics=self._metrics,
            long_runs=self._long_runs,
            progress=self._progress,
            interactor_slots=self._interactor_slots,
            second_slots=SecondSlots(self._capacity, self._slot_threads.put),
        )
        return RequestRunner(parts, self._sender)

    def _make_intake(self, runner: RequestRunner) -> QueueIntake:
        return QueueIntake(
            runner=runner,
            transport=self._transport,
            keeper=self._keeper,
            deleter=self._deleter,
            running=self._running,
            max_receives=self._settings.max_receives,
            capacity=self._capacity,
            put=self._slot_threads.put,
        )

    def _make_server(self, runner: RequestRunner, listener: socket.socket, tls: ssl.SSLContext | None) -> Server:
        direct = DirectIntake(runner, self._running, self._capacity, self._slot_threads.put, self._reporting)
        routes = Routes(
            execute=direct.accept,
            obstacle=self._obstacle,
            metrics=self._metrics_page,
            hold=self.hold,
            token=self._settings.runner_token.encode(),
            max_body_bytes=MAX_MESSAGE_BYTES,
        )
        return Server(listener, routes, tls)

    def _obstacle(self) -> tuple[str, str] | None:
        if self._stopping.is_set():
            return "draining", "this runner stops"
        return None if self._reporting.works else ("cannot_report", self._reporting.problem)

    def _metrics_page(self) -> str:
        gauges = {
            "rustbox_slots": ("Slots, each for one run.", self._slots),
            "rustbox_slots_busy": ("Slots with a run.", self._capacity.running),
            "rustbox_draining": ("1 while this runner takes no more work, because it stops.", self._stopping.is_set()),
            "rustbox_reporting": ("1 while the completions queue takes this runner's messages.", self._reporting.works),
        }
        return self._metrics.text(gauges, {"rustbox_runner_info": self._runner_facts.versions})

    def hold(self) -> None:
        """End the runs and take no more, but stay alive until `drain`. So no restart policy brings the intake back."""
        self._is_held = True
        self._wake()

    def drain(self) -> None:
        """Start the drain; a second call cancels all runs at once. Takes no lock: safe in a signal handler."""
        self._drain_requests += 1
        self._wake()

    def run(self) -> None:
        """Work until drained, then return with every slot closed."""
        try:
            self._slot_threads.start()
            self._start_pollers()
            if self._server is not None:
                self._server.start()
            start_background(self._keep_visible, stop=self._quit_now)
            self._beats = start_background(self._beat, stop=self._quit_now)
            _LOG.info("worker started", extra={"slots": self._slots, "node_id": self._settings.node_id})
            self._wait_until(lambda: self._drain_requests > 0 or self._is_held, None)
            self._finish_running()
            self._slot_threads.finish(CANCEL_SECS)
            self._wait_until(lambda: self._drain_requests > 0, None)
        finally:
            self._stopping.set()
            self._quit()
            if self._server is not None:
                self._server.stop()
            self._long_runs.close()
            self._progress.close()
            if self._beats is not None:
                self._beats.join(CANCEL_SECS)  # the last heartbeat: this runner has no slots any more
            self._sender.close()
            self._deleter.close()
            for managed_slot in self._managed_slots:
                managed_slot.close()
            self._interactor_slots.close()
        _LOG.info("worker stopped", extra={"count": len(self._running)})

    def _start_pollers(self) -> None:
        settings = self._settings
        for queue in (
            PolledQueue(Priority.INTERACTIVE, settings.interactive_queue_url, settings.receive_wait_secs),
            PolledQueue(Priority.BATCH, settings.batch_queue_url, min(BATCH_WAIT_SECS, settings.receive_wait_secs)),
        ):
            poller = Poller(
                queue,
                self._transport,
                self._capacity,
                accept=self._intake.accept,
                stopping=self._stopping,
                reporting=self._reporting,
                metrics=self._metrics,
            )
            start_background(poller.run, stop=self._quit_now)

    def _finish_running(self) -> None:
        _LOG.info("worker draining", extra={"count": len(self._running)})
        self._stopping.set()
        self._capacity.close()
        self._wait_until(
            lambda: (self._capacity.is_idle and not self._running) or self._drain_requests > 1,
            monotonic() + self._settings.drain_secs,
        )
        # From here on every run is cancelled, also one that starts later: the descriptor stays readable.
        os.eventfd_write(self._cancel_fd, 1)
        if self._drain_requests > 1:
            self._quit()
        self._wait_until(lambda: not self._running, monotonic() + CANCEL_SECS)
        self._quit()

    def _quit(self) -> None:
        self._quit_now.set()
        self._sender.stop_retrying()

    def _keep_visible(self) -> None:
        self._keeper.run(self._quit_now)

    def _beat(self) -> None:
        while True:
            self._send_heartbeat()
            self._compile_cache.drop_expired()
            self._interactor_slots.drop_idle()
            if self._stopping.wait(self._settings.heartbeat_secs):
                self._send_heartbeat()
                return

    def _send_heartbeat(self) -> None:
        # Retried until the next one: so `reporting` learns the end of an outage.
        give_up_at = monotonic() + self._settings.heartbeat_secs
        self._send(self._heartbeat(), self._liveness.show, give_up_at)

    def _heartbeat(self) -> RunnerHeartbeat:
        # While draining we report 0 slots: the service then does not count this runner as available.
        slots = 0 if self._stopping.is_set() else self._slots
        return self._runner_facts.heartbeat(self._settings.node_id, slots=slots, busy=self._capacity.running)

    def _send_once(self, message: ExecutionStarted | JudgeProgress) -> None:
        """Send a message that the completion replaces: it is not sent again."""
        self._send(message, lambda: None, 0.0)

    def _send(
        self,
        message: ExecutionStarted | JudgeProgress | RunnerHeartbeat,
        on_sent: Callable[[], None],
        give_up_at: float,
    ) -> None:
        # `reporting` logs each failed call.
        self._sender.put(Outgoing(serialise(message), on_sent, lambda _code: None, give_up_at))

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
