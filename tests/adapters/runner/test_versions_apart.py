"""Functions and a runner of different minor versions, over real queues and tables."""

import json

from functions.submissions.model import Status
from tests.adapters.aws_account import Aws
from tests.adapters.pipeline import Pipeline
from tests.adapters.runner_system import System
from tests.runner_doubles import RecordedSlot, requested

NEWER = {"from_a_newer_version": {"colour": "blue"}}


def test_functions_that_are_newer_than_the_runner_get_their_result(system: System) -> None:
    system.start(RecordedSlot)
    request = requested()
    document = json.loads(request.serialise())
    system.put(json.dumps(document | NEWER | {"limits": document["limits"] | {"gpu_secs": 1}}))
    assert system.completion(request)["result"]["verdict"] == "AC"


def test_functions_record_the_result_and_the_heartbeat_of_a_newer_runner(
    system: System, aws: Aws, pipeline: Pipeline
) -> None:
    row = pipeline.submit()
    system.start(RecordedSlot)
    request = system.request(submission_id=row.submission_id, execution_id=row.execution_id)
    completed = system.completion(request)
    completed["metrics"] |= NEWER
    completed["result"] |= NEWER
    assert pipeline.record(json.dumps(completed | NEWER)) == []
    recorded = pipeline.row(row)
    assert (recorded.status, recorded.verdict) == (Status.COMPLETED, "AC")
    (heartbeat, *_) = system.of_type("runner_heartbeat")
    assert pipeline.record(json.dumps(heartbeat | NEWER | {"runner_version": "0.2.0", "node_id": "newer"})) == []
    assert "NODE#newer" in {item["sk"]["S"] for item in aws.items("RunnersTable")}
