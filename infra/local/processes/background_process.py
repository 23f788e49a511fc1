"""The background process: schedules, stream mappings, housekeeping, metrics, the runner's socket and log."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.dynamodb import tables
from infra.embedded.storage.store import FILE_NAME
from infra.local.embedded_aws import FOLDER, session
from infra.local.metrics import exposition
from infra.local.processes.child_processes import STOP_SIGNALS
from infra.local.processes.runner_process import tell_end
from infra.local.settings import ADMIN_KEY, ADMIN_KEY_PARAMETER, API_KEY, PROJECT_ID
from infra.local.stream_mappings import StreamPollers
from infra.local.triggers import ScheduleThreads, StoppableThreads, plan_firings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import ThreadingHTTPServer

    from infra.embedded.storage.files import Trouble
    from infra.embedded.storage.store import Store
    from infra.local.console import Console
    from infra.local.metrics import Counters
    from infra.local.processes.launcher import Prepared
    from infra.local.processes.loading import Loaded
    from infra.local.settings import LocalSettings

_THREADS_STOP_SECS: Final = 5
_LATE_LINES_SECS: Final = 2  # those of the first run, behind its last answer
_LOOK_SECS: Final = 1.0
_REPEAT_SECS: Final = {"all": 60.0, "writes": 60.0, "nothing": 3600.0}
_LINE_LIMIT_BYTES: Final = 1024 * 1024
_STATES: Final = {
    "visible": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


def run(prepared: Prepared, loaded: Loaded, drained: int) -> int:
    """Run everything until one of STOP_SIGNALS, which stay blocked: we wait for them. Return the exit code."""
    os.close(drained)  # it serves no requests
    os.close(prepared.log_writer)
    with ExitStack() as parts:
        _start(prepared, loaded, parts)
        stopping = threading.Event()
        if prepared.settings.first_run:
            # On a thread that ends with the process: a stop does not wait for answers of functions that have drained.
            threading.Thread(target=_show_first_run, args=(prepared, stopping), name="first-run", daemon=True).start()
        signal.sigwait(STOP_SIGNALS)
        stopping.set()
    return 0


def _show_first_run(prepared: Prepared, stopping: threading.Event) -> None:
    console = prepared.console
    try:
        from infra.local.processes.first_run import is_runner_live, show_first_run  # noqa: PLC0415 - httpx takes a while to import

        is_live = partial(is_runner_live, prepared.template.values["RunnersTable"]["Ref"])
        if show_first_run(prepared.settings, console, is_live, stopping.is_set):
            console.line("stack", "ready; Ctrl-C stops everything")
        if not stopping.is_set():
            _tell_addresses(prepared)
        stopping.wait(_LATE_LINES_SECS)
    finally:
        console.show(prepared.settings.shown)


def _start(prepared: Prepared, loaded: Loaded, parts: ExitStack) -> None:
    """Start everything. Stops run in the reverse order; the launcher has ended the runner by then."""
    settings, console, embedded = prepared.settings, prepared.console, prepared.embedded
    log = threading.Thread(target=_show_log, args=(prepared,), name="runner-log", daemon=True)
    log.start()
    parts.callback(log.join, _THREADS_STOP_SECS)
    embedded.start()
    parts.callback(embedded.stop)
    watch = _TroubleWatch(embedded.engine.store, console)
    watch.start()
    parts.callback(watch.stop, _THREADS_STOP_SECS)
    tell_end(prepared, prepared.began_ms)
    if not settings.production:
        _seed_project(prepared.template.values["ProjectsTable"]["Ref"])
    open_waiter = partial(tables.waiter, embedded.engine)
    pollers = StreamPollers(loaded.invoker, console, settings.state_dir, open_waiter, prepared.flush)
    parts.callback(pollers.stop, _THREADS_STOP_SECS)
    for stream in loaded.stack.streams:
        pollers.start(stream)
    schedules = ScheduleThreads(loaded.invoker, console)
    parts.callback(schedules.stop, _THREADS_STOP_SECS)
    for firings in plan_firings(loaded.stack.schedules, settings.sweep_secs):
        schedules.start(firings)
    if settings.metrics_port is not None:
        _serve_metrics(prepared, loaded, settings.metrics_port, parts)
    if not settings.first_run:
        _tell_addresses(prepared)


class _TroubleWatch(StoppableThreads):
    """A thread that tells of a trouble at once, then once a minute, or hour if it stops nothing, and of its end."""

    def __init__(self, store: Store, console: Console) -> None:
        super().__init__(console)
        self._store = store

    def start(self) -> None:
        self._start_thread("state-watch", self._watch)

    def _watch(self) -> None:
        told: Trouble | None = None
        repeat_at = 0.0
        while not self._stopping.wait(_LOOK_SECS):
            trouble = self._store.find_trouble()
            if told is not None and trouble != told and (trouble is None or told.stops != "nothing"):
                self._console.line("state", f"no longer: {told.cause}")
            if trouble is not None and (trouble != told or time.monotonic() >= repeat_at):
                self._console.line("state", trouble.detail, "warning" if trouble.stops == "nothing" else "error")
                repeat_at = time.monotonic() + _REPEAT_SECS[trouble.stops]
            told = trouble


def _show_log(prepared: Prepared) -> None:
    """Write the runner's lines until its end, and that of its last replacement."""
    with os.fdopen(prepared.log_reader, "rb") as log:
        while text := log.readline(_LINE_LIMIT_BYTES):
            prepared.console.log("runner", text.decode("utf-8", "replace").rstrip())


def _seed_project(projects_table: str) -> None:
    """Create project `dev` with its fixed key. An existing one keeps its values, but is enabled with a valid key."""
    # Imported late: `functions` may be imported only once the environment is set (see `invoker.load_handlers`).
    from functions.aws.clients import Clients  # noqa: PLC0415
    from functions.projects.bodies import MB_PER_DAY_MAX  # noqa: PLC0415
    from functions.projects.model import (  # noqa: PLC0415
        DEFAULT_QUOTAS,
        MAX_IN_FLIGHT,
        NO_NETWORK,
        NetworkAccess,
        Project,
        ProjectNetwork,
        Quota,
    )
    from functions.projects.store import ProjectStore  # noqa: PLC0415

    projects = ProjectStore(projects_table, Clients.dynamodb())
    found = projects.get(PROJECT_ID)
    # One user needs no quotas. To try them out, create another project, or set those of this one.
    quota = Quota(per_minute=1_000_000, per_day=1_000_000_000, in_flight=MAX_IN_FLIGHT)
    project = found.project if found is not None else Project(PROJECT_ID, "Local development")
    quotas = dict.fromkeys(DEFAULT_QUOTAS, quota) | dict(project.quotas)
    is_unset = project.network == NO_NETWORK
    network = ProjectNetwork(NetworkAccess.PUBLIC, mb_per_day=MB_PER_DAY_MAX) if is_unset else project.network
    projects.create_project(replace(project, quotas=quotas, network=network))
    projects.issue_key(PROJECT_ID, api_key=API_KEY)


def _serve_metrics(prepared: Prepared, loaded: Loaded, port: int, parts: ExitStack) -> None:
    try:
        server = _open_metrics(prepared, loaded.counters, port)
    except OSError as error:
        text = f"no metrics: port {port} is not free ({error.strerror}): set RUSTBOX_METRICS_PORT"
        prepared.console.line("stack", text, "error")
        return
    parts.enter_context(server)
    parts.callback(server.shutdown)


def _open_metrics(prepared: Prepared, counters: Counters, port: int) -> ThreadingHTTPServer:
    """Answer on this port of loopback from now on. Raises OSError where it is not free."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: PLC0415 - `make up` has no metrics

    sqs = session().client("sqs")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/metrics":
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            body = exposition(counters, [*_gauges(prepared, sqs)]).encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("content-type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            """Stay silent: a scrape comes every few seconds."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _gauges(prepared: Prepared, sqs: Any) -> Iterator[tuple[str, int]]:
    for name, *_ in prepared.template.of_types({"AWS::SQS::Queue"}):
        url = prepared.template.values[name]["Ref"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[*_STATES.values()])["Attributes"]
        for state, attribute in _STATES.items():
            yield f'rustbox_queue_messages{{queue="{name}",state="{state}"}}', int(found[attribute])
    yield from _runner_gauges(prepared.template.values["RunnersTable"]["Ref"])
    for path in sorted((prepared.settings.state_dir / FOLDER).glob(f"{FILE_NAME}*")):
        yield f'rustbox_state_bytes{{file="{path.name}"}}', path.stat().st_size
    disk = os.statvfs(prepared.settings.state_dir)
    yield "rustbox_disk_bytes", disk.f_blocks * disk.f_frsize
    yield "rustbox_disk_free_bytes", disk.f_bavail * disk.f_frsize


def _runner_gauges(runners_table: str) -> Iterator[tuple[str, int]]:
    # Imported late: `functions` may be imported only once the environment is set (see `invoker.load_handlers`).
    from functions.aws.clients import Clients  # noqa: PLC0415
    from functions.submissions.runners.store import RunnerStore  # noqa: PLC0415

    live = [seen.heartbeat for seen in RunnerStore(runners_table, Clients.dynamodb()).list_recent() if seen.is_live]
    yield "rustbox_runners", len(live)
    yield "rustbox_runner_slots", sum(heartbeat.slots for heartbeat in live)
    yield "rustbox_runner_slots_busy", sum(heartbeat.slots_busy for heartbeat in live)


def _tell_addresses(prepared: Prepared) -> None:
    settings, console = prepared.settings, prepared.console
    if settings.production:
        console.line("stack", f"serving {settings.parameters['PublicBaseUrl']} at {settings.base_url}")
        return
    facts = {"address": settings.base_url, "API key": API_KEY}
    if settings.parameters["AdminKeyParameter"] == ADMIN_KEY_PARAMETER:
        facts["admin key"] = ADMIN_KEY
    facts |= {"state": str(settings.state_dir), "console": f"{settings.base_url}/", "next": _next_command(settings)}
    for name, text in facts.items():
        console.raw(f"  {name:<9}  {text}")


def _next_command(settings: LocalSettings) -> str:
    """Return the first command of the README. It works beside a container too, which installs no command line."""
    headers = f"-H 'X-API-Key: {API_KEY}' -H 'Content-Type: application/json'"
    body = """-d '{"language": "python", "code": "print(6 * 7)"}'"""
    return f"curl -s '{settings.base_url}/api/submit?wait=true&view=compact' {headers} {body}"
