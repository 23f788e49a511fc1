"""Heartbeats of runners."""

from functions.clock import to_rfc3339
from functions.messages.wire import RunnerHeartbeat
from tests.submission_factory import START_MS, golden


def heartbeat(node_id: str = "runner-1", sent_ms: int = START_MS, slots: int = 4) -> RunnerHeartbeat:
    message = RunnerHeartbeat.model_validate(golden("runner_heartbeat/v1.strict"), strict=False)
    return message.model_copy(update={"node_id": node_id, "sent_at": to_rfc3339(sent_ms), "slots": slots})
