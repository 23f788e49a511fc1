"""Serves `/metrics` to a Prometheus on this machine, on a port that no reverse proxy passes on."""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from infra.embedded.storage.store import FILE_NAME
from infra.local.aws.embedded_aws import FOLDER
from infra.local.aws.resources import session
from infra.local.metrics import exposition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.metrics import Counters
    from infra.local.processes.preparation import Prepared

_STATES = {
    "visible": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


def serve_metrics(prepared: Prepared, counters: Counters, port: int) -> ThreadingHTTPServer:
    """Answer on this port of loopback from now on. Raises OSError where it is not free."""
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


def _runner_gauges(runners_table: str) -> Iterator[tuple[str, int]]:
    # Imported late: `functions` may be imported only once the environment is set (see `invoker.load_handlers`).
    from functions.aws.clients import Clients  # noqa: PLC0415
    from functions.submissions.runners.runner_store import RunnerStore  # noqa: PLC0415

    live = [seen.heartbeat for seen in RunnerStore(runners_table, Clients.dynamodb()).list_recent() if seen.is_live]
    yield "rustbox_runners", len(live)
    yield "rustbox_runner_slots", sum(heartbeat.slots for heartbeat in live)
    yield "rustbox_runner_slots_busy", sum(heartbeat.slots_busy for heartbeat in live)
