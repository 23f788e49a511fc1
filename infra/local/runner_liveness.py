"""Takes the local runner from the live runners when it has ended: the launcher knows it before the heartbeat is old."""

from __future__ import annotations

from typing import Final

NODE_ID: Final = "local"


def mark_ended(runners_table: str) -> None:
    """Replace the last heartbeat by one without slots. An older heartbeat that is still in the queue is ignored."""
    # Imported late: `functions` may be imported only once the environment is set (see `invoker.load`).
    from functions.aws.clients import Clients  # noqa: PLC0415
    from functions.clock import now_ms, to_rfc3339  # noqa: PLC0415
    from functions.submissions.runner_store import RunnerStore  # noqa: PLC0415

    ended_at = to_rfc3339(now_ms())  # first of all: a new runner may send its heartbeat meanwhile
    runners = RunnerStore(runners_table, Clients.dynamodb())
    for runner in runners.list_recent():
        if runner.heartbeat.node_id == NODE_ID:
            ended = {"slots": 0, "slots_busy": 0, "sent_at": ended_at}
            runners.put_heartbeat(runner.heartbeat.model_copy(update=ended))
