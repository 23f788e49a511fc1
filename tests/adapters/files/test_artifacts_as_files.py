"""An artifact's hash is a file of its project: a later run names it, and no client sends its bytes."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from functions.aws.clients import Clients
from functions.files.model import MIB
from functions.files.store import FileStore
from functions.handlers import result
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from functions.submissions.model import Submission
from tests.adapters.aws_account import API_KEY, PROJECT_ID
from tests.adapters.files.file_factory import Content, ask
from tests.adapters.http_calls import Answer, send
from tests.adapters.pipeline import Crash, Pipeline, crash_at

OTHER_KEY = "rb_live_of_another_project"
both = pytest.mark.answered_by("engine", "moto")


@pytest.fixture(autouse=True)
def _key(project_key: str) -> None:
    del project_key


def some(size: int = 3000) -> Content:
    return Content(os.urandom(size), "image/png")


def ran(pipeline: Pipeline, *contents: Content, raw: bytes | None = None) -> Submission:
    """Finish a run that left these files; `raw`: other bytes than the runner says."""
    submission = pipeline.submit(artifact_patterns=["*"], project_id=PROJECT_ID)
    files = []
    for number, content in enumerate(contents):
        key = f"outputs/{submission.submission_id}/{submission.execution_id}/artifact-{number}"
        body = content.raw if raw is None else raw
        Clients.s3().put_object(Bucket=pipeline.aws.names["PayloadsBucket"], Key=key, Body=body)
        said: dict[str, Any] = {"path": f"{number}.png", "size": len(content.raw), "sha256": content.sha256}
        files.append(said | {"media_type": content.media_type, "key": key})
    assert pipeline.record(pipeline.completed(submission, "artifacts", artifacts=files)) == []
    return submission


def name(*contents: Content, key: str = API_KEY) -> Answer:
    files = [{"path": str(number), "sha256": content.sha256} for number, content in enumerate(contents)]
    return send(key, "POST", "/api/submit", {"language": "python", "code": "1", "files": files})


def bytes_of_messages(pipeline: Pipeline) -> list[list[bytes]]:
    """Return the bytes that a runner gets for each run with files."""
    bucket, s3 = pipeline.aws.names["PayloadsBucket"], Clients.s3()
    return [
        [s3.get_object(Bucket=bucket, Key=file["object"]["key"])["Body"].read() for file in message["files"]]
        for message in pipeline.aws.messages("BatchQueue")
        if "files" in message
    ]


def delete(submission: Submission) -> None:
    assert send(API_KEY, "DELETE", f"/api/result/{submission.submission_id}").status == 200


@both
def test_a_run_that_waits_keeps_its_file_when_the_result_is_deleted(pipeline: Pipeline) -> None:
    contents = (some(), some(0), some(2 * MIB))
    submission = ran(pipeline, *contents)
    accepted = name(*contents)
    assert accepted.status == 202, accepted.raw
    delete(submission)
    assert bytes_of_messages(pipeline) == [[content.raw for content in contents]]
    assert send(API_KEY, "GET", "/api/files").json["used_bytes"] == sum(len(content.raw) for content in contents)
    file = send(API_KEY, "GET", f"/api/files/{contents[0].sha256}").json
    assert (file["state"], file["media_type"]) == ("stored", "image/png")


@both
def test_a_deleted_result_leaves_no_hash_behind(pipeline: Pipeline) -> None:
    content = some()
    delete(ran(pipeline, content))
    assert name(content).json["missing"] == [content.sha256]
    assert pipeline.artifacts.find(PROJECT_ID, content.sha256) == []


@both
def test_of_two_results_with_the_same_artifact_one_may_go(pipeline: Pipeline) -> None:
    content = some()
    first, _second = ran(pipeline, content, content), ran(pipeline, content)
    delete(first)
    assert name(content).status == 202


@both
def test_another_projects_artifact_is_unknown(pipeline: Pipeline) -> None:
    projects = ProjectStore(pipeline.aws.names["ProjectsTable"], pipeline.aws.client("dynamodb"))
    projects.create_project(Project("other", "another"))
    projects.issue_key("other", api_key=OTHER_KEY)
    content = some()
    ran(pipeline, content)
    assert name(content, key=OTHER_KEY).json["missing"] == [content.sha256]
    assert ask(content, OTHER_KEY).json["exists"] is False
    assert send(OTHER_KEY, "GET", "/api/files").json["used_bytes"] == len(content.raw), "what it declared itself"


@both
def test_a_client_that_asks_to_store_an_artifact_sends_no_bytes(pipeline: Pipeline) -> None:
    content = some()
    ran(pipeline, content)
    assert ask(content).json == {"id": f"sha256:{content.sha256}", "exists": True}
    other = some()
    assert ask(other).json["exists"] is False
    ran(pipeline, other)
    assert ask(other).json["exists"] is True, "its declared file has the bytes of the artifact"
    assert ask(other, size=7).status == 409


@both
@pytest.mark.parametrize("lie", [lambda raw: raw[::-1], lambda raw: raw + b"x", lambda raw: raw[:-1]])
def test_a_runner_that_lies_about_a_hash_or_a_size_makes_no_file(
    pipeline: Pipeline, lie: Callable[[bytes], bytes]
) -> None:
    content = some()
    ran(pipeline, content, raw=lie(content.raw))
    assert name(content).json["missing"] == [content.sha256]
    assert ask(content).json["exists"] is False


@both
def test_a_copy_counts_in_the_quota(pipeline: Pipeline) -> None:
    projects = ProjectStore(pipeline.aws.names["ProjectsTable"], pipeline.aws.client("dynamodb"))
    projects.create_project(replace(Project(PROJECT_ID, "tests"), files_mb=1))
    content = some(2 * MIB)
    ran(pipeline, content)
    answer = name(content)
    assert (answer.status, answer.json["error"]) == (429, "rate_limited"), answer.raw
    assert result.ENV[FileStore].usage(PROJECT_ID) == (0, 0)


def test_many_runs_at_once_make_one_copy(pipeline: Pipeline) -> None:
    contents = (some(), some())
    ran(pipeline, *contents)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: name(*contents), range(8)))
    assert {answer.status for answer in answers} == {202}, [answer.raw for answer in answers]
    assert result.ENV[FileStore].usage(PROJECT_ID) == (6000, 2)
    assert bytes_of_messages(pipeline) == [[content.raw for content in contents]] * 8


@both
@pytest.mark.parametrize("place", ["files.after_row", "files.after_copy"])
def test_a_copy_that_dies_is_finished_by_the_next_run(pipeline: Pipeline, place: str) -> None:
    content = some()
    ran(pipeline, content)
    with crash_at(place), pytest.raises(Crash):
        name(content)
    assert name(content).status == 202
    assert result.ENV[FileStore].usage(PROJECT_ID) == (3000, 1)
