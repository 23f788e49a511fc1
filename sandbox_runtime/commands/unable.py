"""Tell the service why this runner cannot work, before it ends."""

import logging
from datetime import UTC, datetime

from events.message import format_time
from events.runner import MAX_PROBLEM_CHARS, RunnerHeartbeat
from sandbox_runtime import RUNNER_VERSION
from sandbox_runtime.settings import WorkerSettings
from sandbox_runtime.transport import Transport, TransportError, connect

_LOG = logging.getLogger(__name__)


def report_unable(found: WorkerSettings, problem: str) -> None:
    """Send one heartbeat without slots, for health and metrics. A failed send is logged only."""
    heartbeat = RunnerHeartbeat(
        node_id=found.node_id,
        runner_version=RUNNER_VERSION,
        sent_at=format_time(datetime.now(UTC)),
        slots=0,
        slots_busy=0,
        languages=(),
        toolchains={},
        isolation_mode="permissive",
        cgroup_backend=None,
        namespace_support=False,
        controls=(),
        problem=problem[:MAX_PROBLEM_CHARS],
    )
    try:
        transport = Transport(
            connect(slots=1, receive_wait_secs=found.receive_wait_secs),
            completions_queue_url=found.completions_queue_url,
            bucket=found.payloads_bucket,
            visibility_secs=found.visibility_secs,
        )
        (code,) = transport.send([heartbeat.serialise()])
    except TransportError as error:
        code = error.code
    if code is not None:
        _LOG.warning("problem not reported to the service", extra={"code": code})
