"""The process of all that a stack has once: runner, schedules, stream mappings, and the engine's housekeeping."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvloop

from infra.local import runner_liveness
from infra.local.child_processes import GIVE_UP_CODE
from infra.local.runner_process import RUNNER_COMMAND, RunnerProcess, runner_environment
from infra.local.schedules import ScheduleThreads, interval_secs
from infra.local.seeding import seed_project
from infra.local.settings import ADMIN_KEY, ADMIN_KEY_PARAMETER, API_KEY
from infra.local.stream_mappings import StreamPollers

if TYPE_CHECKING:
    from infra.local.preparation import Prepared

_THREADS_STOP_SECS: Final = 5


def run(prepared: Prepared, drained: int) -> int:
    """Run everything until SIGTERM, then drain the runner. Return the exit code."""
    os.close(drained)  # it serves no requests
    background = _Background(prepared)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(background.run())
    return GIVE_UP_CODE if background.gave_up else 0


class _Background:
    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._end = asyncio.Event()
        self.gave_up = False

    async def run(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._end.set)
        async with AsyncExitStack() as parts:
            await self._start(parts)
            if self._prepared.settings.first_run and not self._end.is_set():
                await self._first_run()
            await self._end.wait()

    async def _start(self, parts: AsyncExitStack) -> None:
        """Stops run backwards: runner drained, its socket closed, then the threads."""
        prepared = self._prepared
        settings, console, stack, values = prepared.settings, prepared.console, prepared.stack, prepared.resolver.values
        if prepared.embedded is not None:
            prepared.embedded.start()
            parts.callback(prepared.embedded.stop)
        schedules = ScheduleThreads(prepared.invoker, console)
        parts.callback(schedules.stop, _THREADS_STOP_SECS)
        open_waiter = prepared.embedded.stream_waiter if prepared.embedded else None
        streams = StreamPollers(prepared.invoker, console, settings.state_dir, open_waiter)
        parts.callback(streams.stop, _THREADS_STOP_SECS)
        mark_ended = partial(runner_liveness.mark_ended, values["RunnersTable"]["Ref"])
        embedded = prepared.embedded
        command = embedded.serve_runner(prepared.template, prepared.resolver) if embedded else RUNNER_COMMAND
        runner = RunnerProcess(
            command, self._runner_environment(), settings.state_dir, console, mark_ended, self._give_up
        )
        parts.push_async_callback(runner.stop)
        runner.start()
        if not settings.production:
            # In a thread: the runner starts meanwhile.
            await asyncio.to_thread(seed_project, values["ProjectsTable"]["Ref"])
        for stream in stack.streams:
            streams.start(stream)
        for schedule in stack.schedules:
            schedules.start(schedule, settings.sweep_secs or interval_secs(schedule.expression))
        if settings.metrics_port is not None:
            self._serve_metrics(parts, settings.metrics_port)
        self._tell_addresses()

    def _give_up(self) -> None:
        self.gave_up = True
        self._end.set()

    def _serve_metrics(self, parts: AsyncExitStack, port: int) -> None:
        from infra.local.metrics_server import MetricsServer  # noqa: PLC0415 - `make up` has none

        try:
            server = MetricsServer(self._prepared, port)
        except OSError as error:
            text = f"no metrics: port {port} is not free ({error.strerror}): set RUSTBOX_METRICS_PORT"
            self._prepared.console.line("stack", text, "error")
            return
        server.start()
        parts.callback(server.stop)

    def _tell_addresses(self) -> None:
        settings, console = self._prepared.settings, self._prepared.console
        if settings.production:
            console.line("stack", f"serving {settings.parameters['PublicBaseUrl']} at {settings.base_url}")
            return
        console.line("stack", f"{settings.base_url}   X-API-Key: {API_KEY}   state: {settings.state_dir}")
        if settings.parameters["AdminKeyParameter"] == ADMIN_KEY_PARAMETER:
            console.line("stack", f"{settings.base_url}/api/projects   X-Admin-Key: {ADMIN_KEY}")

    def _runner_environment(self) -> dict[str, str]:
        """Read visibility and receives from the template: the runner must agree with its queues."""
        prepared, values = self._prepared, self._prepared.resolver.values
        queue: dict[str, Any] = prepared.resolver.resolve(prepared.template.resources["InteractiveQueue"]["Properties"])
        queues = {
            "INTERACTIVE_QUEUE_URL": values["InteractiveQueue"]["Ref"],
            "BATCH_QUEUE_URL": values["BatchQueue"]["Ref"],
            "COMPLETIONS_QUEUE_URL": values["CompletionsQueue"]["Ref"],
            "VISIBILITY_SECS": str(queue["VisibilityTimeout"]),
            "MAX_RECEIVES": str(queue["RedrivePolicy"]["maxReceiveCount"]),
        }
        environment = runner_environment(queues, values["PayloadsBucket"]["Ref"], prepared.settings.state_dir)
        return environment | (prepared.direct.runner_variables if prepared.direct else {})

    async def _first_run(self) -> None:
        from infra.local.first_run import show_first_run  # noqa: PLC0415 - httpx takes a while, the API is up by now

        settings, console = self._prepared.settings, self._prepared.console
        if await asyncio.to_thread(show_first_run, settings, console, self._end.is_set):
            console.line("stack", "ready; Ctrl-C stops everything")
