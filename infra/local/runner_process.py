"""The runner as a child: started, its log shown, restarted when it dies, drained on stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.local.processes import ProcessIdentity, identify, is_alive, read_process, stop, write_record
from infra.local.runner_liveness import NODE_ID
from infra.local.settings import REGION, ROOT, TOOLCHAINS_DIR

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.console import Console

RUNNER_COMMAND: Final = (sys.executable, "-m", "sandbox_runtime", "worker")
"""For an AWS server. With the embedded engine, `EmbeddedAws.serve_runner` gives the command."""
_FIRST_BACKOFF_SECS: Final = 0.5
_MAX_BACKOFF_SECS: Final = 30.0
# A runner that lived this long was well: its next death starts the backoff anew.
_STEADY_SECS: Final = 2.0
_LINE_LIMIT_BYTES: Final = 1024 * 1024
# What a runner may do after SIGTERM, beyond its own DRAIN_SECS: kill what still runs, clean up its groups.
_TEARDOWN_SECS: Final = 10
_DRAIN_SECS: Final = 10
# Exit codes of a runner that says why it cannot work: wrong settings, or a host on which it cannot isolate
# (sandbox_runtime/commands/exit_codes.py).
_CANNOT_WORK_CODES: Final = (2, 121)
# Variables of ours that the runner takes over when they are set.
_PASSED_ON = (
    "SLOTS",
    "LANGUAGES",
    "SETUP_TIMEOUT_SECS",
    "HEARTBEAT_SECS",
    "DRAIN_SECS",
    "RECEIVE_WAIT_SECS",
    "COMPILE_CACHE_MB",
    "COMPILE_CACHE_MAX_AGE_SECS",
    "LOG_LEVEL",
    "PATH",
    "HOME",
    "LANG",
)


def runner_environment(queue_variables: dict[str, str], bucket: str, state_dir: Path) -> dict[str, str]:
    """Return the runner's whole environment; `queue_variables` holds what follows from the queues."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        if name in os.environ:
            environment[name] = os.environ[name]
    # A drain as long as the visibility would give running submissions to a second runner.
    drain_secs = min(_DRAIN_SECS, int(queue_variables["VISIBILITY_SECS"]) - 1)
    return {
        "DRAIN_SECS": str(drain_secs),
        "RECEIVE_WAIT_SECS": "1",  # a stop waits for the long poll; here a poll costs nothing
        **environment,
        **queue_variables,
        "PAYLOADS_BUCKET": bucket,
        "NODE_ID": NODE_ID,
        "TRIALS_DIR": str(state_dir / "runner"),
        "LIVENESS_FILE": str(state_dir / "runner" / "alive"),
        "TOOLCHAINS_DIR": TOOLCHAINS_DIR,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }


class RunnerProcess:
    """Keeps one runner alive until `stop`. Must be used in the main thread: see `tether`.

    `command` and `environment` are those of the runner. `mark_ended` is called at the first start and after each
    unexpected end. `give_up` is called if the runner says at its first start that it cannot work.
    """

    def __init__(
        self,
        command: tuple[str, ...],
        environment: dict[str, str],
        state_dir: Path,
        console: Console,
        mark_ended: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        self._give_up = give_up
        self._command = command
        self._environment = environment
        self._mark_ended = mark_ended
        self._record = state_dir / "runner.json"
        self._liveness_file = Path(environment["LIVENESS_FILE"])
        self._console = console
        self._child: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        (state_dir / "runner").mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """End what a killed launcher left behind, then keep a runner alive from now on."""
        left_behind = read_process(self._record)
        if left_behind is not None and is_alive(left_behind):
            self._console.line("runner", f"waiting for the runner of the last start (pid {left_behind.pid}) to drain")
            stop(left_behind, self._grace_secs)
        self._liveness_file.unlink(missing_ok=True)
        self._task = asyncio.create_task(self._keep_alive())

    async def stop(self) -> None:
        """SIGTERM, wait for the drain, then SIGKILL."""
        self._stopping = True
        child = self._child
        if child is not None and child.returncode is None:
            child.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(child.wait(), self._grace_secs)
            except TimeoutError:
                self._console.line("runner", "did not drain in time: killed", "warning")
                child.kill()
                await child.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._record.unlink(missing_ok=True)

    @property
    def _grace_secs(self) -> float:
        return float(self._environment["DRAIN_SECS"]) + _TEARDOWN_SECS

    async def _keep_alive(self) -> None:
        # Of the last start, which may have been killed. The new runner need not wait: its heartbeats are later.
        telling = asyncio.create_task(self._tell_end())
        loop = asyncio.get_running_loop()
        backoff_secs = _FIRST_BACKOFF_SECS
        while not self._stopping:
            started = loop.time()
            code = await self._run_once()
            await telling
            if self._stopping:
                return
            if code in _CANNOT_WORK_CODES and not self._has_worked():
                # A second start would end in the same way, and every submission would wait in vain.
                self._console.line("runner", "it cannot work, for the reason above: stopping", "error")
                self._give_up()
                return
            if loop.time() - started > _STEADY_SECS:
                backoff_secs = _FIRST_BACKOFF_SECS
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            self._console.line("runner", f"ended unexpectedly ({how}): restarting in {backoff_secs:g} s", "error")
            await self._tell_end()
            await asyncio.sleep(backoff_secs)
            backoff_secs = min(backoff_secs * 2, _MAX_BACKOFF_SECS)

    def _has_worked(self) -> bool:
        """Whether a runner has worked since `start`."""
        return self._liveness_file.exists()

    async def _tell_end(self) -> None:
        try:
            await asyncio.to_thread(self._mark_ended)
        except Exception as error:  # noqa: BLE001 - whatever it was, it must not keep the runner from starting
            # The next heartbeat, or the age of the last one, corrects the record.
            self._console.line("runner", f"its end was not recorded: {type(error).__name__}", "warning")

    async def _run_once(self) -> int:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "infra.local.tether", str(os.getpid())),
            *self._command,
            cwd=ROOT,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LINE_LIMIT_BYTES,
            start_new_session=True,  # Ctrl-C on the terminal is for the launcher alone, which then drains the runner
        )
        self._child = child
        self._remember(identify(child.pid))
        await self._show_log(child)
        return await child.wait()

    async def _show_log(self, child: asyncio.subprocess.Process) -> None:
        stdout = child.stdout
        if stdout is None:
            return
        while True:
            try:
                text = await stdout.readline()
            except ValueError:  # a line over the limit: it is skipped
                continue
            if not text:
                return
            self._console.log("runner", text.decode("utf-8", "replace").rstrip())

    def _remember(self, process: ProcessIdentity | None) -> None:
        if process is not None:
            write_record(self._record, asdict(process))
