"""Transforms without a sandbox: a project that may run them, and what a runner answers to a request of one."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from events.vocabulary import Profile
from functions.projects.model import Project, Quota
from functions.projects.store import ProjectStore
from functions.webhooks.endpoints.model import Endpoint, Transform
from functions.webhooks.sending.transform_turns import TurnStore, program_digest
from tests.adapters.pipeline import Pipeline
from tests.submission_factory import GENEROUS, golden

PROGRAM = Transform("python", "the code of a transform")


def add_project(pipeline: Pipeline, project_id: str = "dev", quota: Quota | None = None) -> None:
    """Put the project, with a generous quota or this one."""
    quotas = GENEROUS if quota is None else dict.fromkeys(map(str, Profile), quota)
    pipeline.env[ProjectStore].create_project(Project(project_id, "Tests", quotas=quotas))


def prove(pipeline: Pipeline, endpoint: Endpoint) -> None:
    """Let the program of an endpoint have run to a sound end once: its runs begin at once."""
    if endpoint.transform is not None:
        of = endpoint.project_id, endpoint.endpoint_id, program_digest(endpoint.transform)
        pipeline.aws.client("dynamodb").transact_write_items(TransactItems=[pipeline.env[TurnStore].sound(*of)])


def requests(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Take the runs that wait in the batch queue."""
    return pipeline.aws.messages("BatchQueue")


def one_request(pipeline: Pipeline) -> dict[str, Any]:
    """Take the only run that waits."""
    (request,) = requests(pipeline)
    return request


def code_of(request: dict[str, Any]) -> str:
    return base64.b64decode(request["code_base64"]).decode()


def event_of(request: dict[str, Any]) -> dict[str, Any]:
    """Return what the program reads."""
    found: dict[str, Any] = json.loads(base64.b64decode(request["stdin_base64"]))
    return found


def completion(request: dict[str, Any], stdout: bytes = b"", *, verdict: str = "AC", stderr: bytes = b"") -> str:
    """Return the text of the runner's answer."""
    message = golden("execution_completed/v1.accepted")
    failed = {"verdict": verdict, "cause": "re_nonzero_exit", "exit_code": 1}
    result = message["result"] | (failed if verdict != "AC" else {})
    return json.dumps(
        message
        | {name: request[name] for name in ("submission_id", "execution_id")}
        | {"result": result, "stdout": _stream(stdout), "stderr": _stream(stderr)}
    )


def write_bodies(pipeline: Pipeline, waiting: Sequence[dict[str, Any]] | None = None) -> int:
    """Let each waiting run write `{"was": <type of its event>}`; return how many there were."""
    waiting = requests(pipeline) if waiting is None else waiting
    for each in waiting:
        text = json.dumps({"body": {"was": event_of(each)["type"]}}).encode()
        assert pipeline.record(completion(each, text)) == []
    return len(waiting)


def send_all(pipeline: Pipeline) -> None:
    """Handle all hints that are there."""
    assert pipeline.webhook(*pipeline.hints()) == []


def _stream(content: bytes) -> dict[str, Any]:
    return {"size_bytes": len(content), "base64": base64.b64encode(content).decode()}
