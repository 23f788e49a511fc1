"""Heartbeats of runners."""

import json

from events.runner import RunnerHeartbeat
from functions.clock import to_rfc3339
from tests.submission_factory import START_MS, golden


def heartbeat(node_id: str = "runner-1", sent_ms: int = START_MS, slots: int = 4) -> RunnerHeartbeat:
    message = RunnerHeartbeat.parse(json.dumps(golden("runner_heartbeat/v1.strict")))
    return message.changed(node_id=node_id, sent_at=to_rfc3339(sent_ms), slots=slots)
