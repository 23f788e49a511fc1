"""One of the processes that run the functions: it serves HTTP on the shared port, and polls the queues' mappings."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import resource
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvicorn
import uvloop

from infra.local.http.answers import DurableAnswers
from infra.local.http.gateway import Gateway, KeyOwners, Manners
from infra.local.http.http_protocol import IDLE_SECS, BoundedProtocol, Connections
from infra.local.http.site import AllowedHosts, Site
from infra.local.http.stored_content import StoredContent
from infra.local.processes.child_processes import DRAIN_SIGNAL, STOP_SIGNALS, unblock_signals
from infra.local.settings import ROOT
from infra.local.triggers import MappingPollers

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from functions.http.resolver import Route
    from infra.local.http.site import App
    from infra.local.processes.launcher import Prepared
    from infra.local.processes.loading import Loaded
    from infra.local.triggers import Share

_THREADS_STOP_SECS: Final = 5
_FINISH_SECS: Final = 2
_PRODUCTION_FINISH_SECS: Final = 30  # as long as an HTTP API waits for a function
_MAX_CONNECTIONS: Final = 4096
_OTHER_DESCRIPTORS: Final = 512  # of the engine, the runner's connections, webhooks


class Server(uvicorn.Server):
    """Serves until `should_exit`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process: it stops more than this server."""
        yield


def run(prepared: Prepared, loaded: Loaded, listener: socket.socket, share: Share, drained: int) -> int:
    """Serve until one of STOP_SIGNALS.

    After DRAIN_SIGNAL serve no more requests, close `drained`, and go on with the queues.
    """
    os.close(prepared.log_writer)
    prepared.embedded.release_messages()  # this process may replace a dead one
    loaded.counters.use_row(share.number)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(prepared, loaded, listener, share, drained))
    return 0


async def _serve(prepared: Prepared, loaded: Loaded, listener: socket.socket, share: Share, drained: int) -> None:
    loop = asyncio.get_running_loop()
    drain, end = asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(DRAIN_SIGNAL, drain.set)

    def stop() -> None:
        drain.set()
        end.set()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    unblock_signals()
    most = _most_connections()
    owners = KeyOwners(
        _project_finder(prepared.template.values["ProjectsTable"]["Ref"]),
        _administrator_check(prepared.template.parameters["AdminKeyParameter"]),
    )
    content = StoredContent(prepared.template.values["PayloadsBucket"]["Ref"])
    flush = DurableAnswers(prepared.embedded.engine.store).flush
    manners = Manners(_api_routes())
    app: App = Gateway(
        loaded.stack.routes, manners, loaded.invoker, prepared.console, loaded.counters, owners, most, content, flush
    )
    if not prepared.settings.production:
        site = Site(ROOT / ".build" / "site", app)
        app = AllowedHosts(prepared.settings.hosts, prepared.console, site)
        os.environ["ORIGINS_ARE_CHECKED"] = "true"
    finish_secs = _PRODUCTION_FINISH_SECS if prepared.settings.production else _FINISH_SECS
    server = Server(http_config(app, manners, most, finish_secs))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    os.environ["SERVES_FILES"] = "true"
    # On Lambda a process has one sender.
    os.environ["WEBHOOK_SENDERS_OF_PROCESS"] = str(share.of(int(os.environ["WEBHOOK_SENDERS"])))
    pollers = MappingPollers(loaded.invoker, prepared.console, loaded.counters)
    for mapping in loaded.stack.mappings:
        pollers.start(mapping, prepared.template.values[mapping.queue]["Ref"], share)
    await drain.wait()
    server.should_exit = True  # it accepts no more, and lets requests under way end
    await serving
    os.close(drained)
    await end.wait()
    await asyncio.to_thread(pollers.stop, _THREADS_STOP_SECS)


def _most_connections() -> int:
    """Return how many connections this process serves; each needs a descriptor."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, min(_MAX_CONNECTIONS, hard - _OTHER_DESCRIPTORS))


def _api_routes() -> list[Route[Any]]:
    # Imported late: `functions` may be imported only once the environment is set (see `invoker.load_handlers`).
    from functions.handlers.api_document import ROUTES  # noqa: PLC0415
    from functions.handlers.dialects import DIALECTS  # noqa: PLC0415

    return [*ROUTES, *(row for dialect in DIALECTS for row in dialect.served())]


def _project_finder(projects_table: str) -> Callable[[str], str | None]:
    from functions.aws.clients import Clients  # noqa: PLC0415 - see above
    from functions.projects.store import KeyProblem, ProjectStore  # noqa: PLC0415

    projects = ProjectStore(projects_table, Clients.dynamodb())

    def find(api_key: str) -> str | None:
        found = projects.find_key(api_key)
        return None if isinstance(found, KeyProblem) else found.project.project_id

    return find


def _administrator_check(parameter: str) -> Callable[[str], bool]:
    from functions.aws.clients import secret  # noqa: PLC0415 - see above

    return lambda key: bool(parameter) and hmac.compare_digest(key.encode(), secret(parameter).encode())


def http_config(app: App, manners: Manners, most_connections: int, finish_secs: int) -> uvicorn.Config:
    """Return the configuration of the HTTP server. `finish_secs`: for requests under way at a stop."""
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="error",  # no line for each request that its protocol refuses
        access_log=False,
        server_header=False,
        http=partial(BoundedProtocol, bounded=Connections(most_connections), manners=manners),  # type: ignore[arg-type]  # is called only
        ws="none",
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECS,
        timeout_graceful_shutdown=finish_secs,
    )
