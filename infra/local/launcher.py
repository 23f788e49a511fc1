"""Starts the parts in order, waits, and stops them in the opposite order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvloop

from infra.local import runner_liveness
from infra.local.aws_environment import prepare_for_server
from infra.local.console import LogStream, stdout_console
from infra.local.direct_path import choose
from infra.local.embedded_aws import EmbeddedAws, set_aside_old_state
from infra.local.errors import StartError
from infra.local.gateway import Gateway
from infra.local.invoker import load
from infra.local.mappings import MappingPollers
from infra.local.preflight import check_host, check_stage, check_toolchains, listen, lock_state
from infra.local.resources import create_resources
from infra.local.runner_process import RUNNER_COMMAND, RunnerProcess, runner_environment
from infra.local.schedules import ScheduleThreads, interval_secs
from infra.local.seeding import seed_admin_key, seed_project
from infra.local.settings import ADMIN_KEY, ADMIN_KEY_PARAMETER, API_KEY, ROOT, LocalSettings, read_settings
from infra.local.stack import read_stack, refuse_unknown_types
from infra.local.stream_mappings import StreamPollers
from infra.local.template import translate
from infra.local.web_server import WebServer

if TYPE_CHECKING:
    import socket

    from infra.local.console import Console
    from infra.local.intrinsics import Resolver
    from infra.local.stack import Stack
    from infra.local.template import Template

_THREADS_STOP_SECS: Final = 5


def up() -> int:
    """Run the stack until Ctrl-C. Returns the exit code; does not return at all after a clean stop."""
    console = stdout_console()
    try:
        settings = read_settings(os.environ)
        check_host()
        with lock_state(settings.state_dir), listen(settings.port) as listener:
            launcher = Launcher(settings, console)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                code = runner.run(launcher.run(listener))
    except StartError as error:
        sys.stderr.write(f"rustbox: {error}\n")
        code = 1
    sys.stderr.flush()
    # Handlers that wait for a result hold their threads for up to 28 s, and a normal exit would
    # wait for them; their clients are gone and the table keeps what matters.
    os._exit(code)


class Launcher:
    """One start of the local stack."""

    def __init__(self, settings: LocalSettings, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._stop = asyncio.Event()

    async def run(self, listener: socket.socket) -> int:
        """Start everything, wait for a signal, stop everything."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        async with AsyncExitStack() as parts:
            await self._start(parts, listener)
            if self._settings.first_run and not self._stop.is_set():
                await self._first_run()
            await self._stop.wait()
            self._console.line("stack", "stopping")
        self._console.line("stack", "stopped")
        return 0

    async def _start(self, parts: AsyncExitStack, listener: socket.socket) -> None:
        """Stops run backwards: no new requests, runner drained, its last results recorded, its socket closed."""
        settings, console = self._settings, self._console
        direct = choose(settings.parameters)
        parameters = settings.parameters if direct is None else settings.parameters | direct.template_parameters
        template = translate(ROOT / "template.yaml", parameters)
        refuse_unknown_types(template)
        check_stage(template.parameters)
        check_toolchains(template.parameters["OfferedLanguages"])
        embedded = self._start_aws(parts)
        resolver = create_resources(template)
        if direct is not None:
            direct.store_token()
        own_admin_key = settings.parameters["AdminKeyParameter"] != ADMIN_KEY_PARAMETER
        if not own_admin_key:
            seed_admin_key()
        stack = read_stack(template, resolver)
        sys.stdout = LogStream(console, "function")
        invoker = load(stack.functions)
        seed_project(resolver.values["ProjectsTable"]["Ref"])
        if settings.failpoint:
            from infra.local.failpoint import arm  # noqa: PLC0415 - imports functions, see `invoker.load`

            arm(settings.failpoint)
        pollers = MappingPollers(invoker, console)
        schedules = ScheduleThreads(invoker, console)
        parts.callback(schedules.stop, _THREADS_STOP_SECS)
        parts.callback(pollers.stop, _THREADS_STOP_SECS)
        streams = StreamPollers(invoker, console, settings.state_dir, embedded.stream_waiter if embedded else None)
        parts.callback(streams.stop, _THREADS_STOP_SECS)
        environment = self._runner_environment(template, resolver) | (direct.runner_variables if direct else {})
        mark_ended = partial(runner_liveness.mark_ended, resolver.values["RunnersTable"]["Ref"])
        command = embedded.serve_runner(template, resolver) if embedded else RUNNER_COMMAND
        runner = RunnerProcess(command, environment, settings.state_dir, console, mark_ended)
        parts.push_async_callback(runner.stop)
        runner.start()
        web_server = WebServer(Gateway(stack.routes, invoker, console), listener)
        parts.push_async_callback(web_server.stop)
        await web_server.start()
        self._start_background(stack, resolver, pollers, streams, schedules)
        console.line("stack", f"{settings.base_url}   X-API-Key: {API_KEY}   state: {settings.state_dir}")
        if not own_admin_key:
            console.line("stack", f"{settings.base_url}/api/projects   X-Admin-Key: {ADMIN_KEY}")

    def _start_aws(self, parts: AsyncExitStack) -> EmbeddedAws | None:
        """Return the embedded engine, None where the user has an AWS server."""
        settings, console = self._settings, self._console
        if settings.endpoint_url is not None:
            prepare_for_server(settings.endpoint_url)
            console.line("stack", f"uses the AWS server at {settings.endpoint_url}")
            return None
        if (folder := set_aside_old_state(settings.state_dir)) is not None:
            text = f"the state of an older version is now in {folder}; this version does not read it"
            console.line("stack", text, "warning")
        embedded = EmbeddedAws(settings.state_dir, settings.synchronous)
        parts.callback(embedded.stop)
        return embedded

    def _start_background(
        self,
        stack: Stack,
        resolver: Resolver,
        pollers: MappingPollers,
        streams: StreamPollers,
        schedules: ScheduleThreads,
    ) -> None:
        for mapping in stack.mappings:
            pollers.start(mapping, resolver.values[mapping.queue]["Ref"])
        for stream in stack.streams:
            streams.start(stream)
        for schedule in stack.schedules:
            schedules.start(schedule, self._settings.sweep_secs or interval_secs(schedule.expression))

    def _runner_environment(self, template: Template, resolver: Resolver) -> dict[str, str]:
        """Read visibility and receives from the template: the runner must agree with its queues."""
        values = resolver.values
        queue: dict[str, Any] = resolver.resolve(template.resources["InteractiveQueue"]["Properties"])
        queues = {
            "INTERACTIVE_QUEUE_URL": values["InteractiveQueue"]["Ref"],
            "BATCH_QUEUE_URL": values["BatchQueue"]["Ref"],
            "COMPLETIONS_QUEUE_URL": values["CompletionsQueue"]["Ref"],
            "VISIBILITY_SECS": str(queue["VisibilityTimeout"]),
            "MAX_RECEIVES": str(queue["RedrivePolicy"]["maxReceiveCount"]),
        }
        return runner_environment(queues, values["PayloadsBucket"]["Ref"], self._settings.state_dir)

    async def _first_run(self) -> None:
        from infra.local.first_run import show_first_run  # noqa: PLC0415 - httpx takes a while, the API is up by now

        done = asyncio.to_thread(show_first_run, self._settings.base_url, self._console, self._stop.is_set)
        if await done:
            self._console.line("stack", "ready; Ctrl-C stops everything")
