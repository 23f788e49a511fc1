"""Files that a run left: the request that keeps them, the result and the events that list them, and their end."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError

from events.requested import ExecutionRequested
from functions.aws.clients import Clients
from functions.submissions.model import Submission
from functions.webhooks.endpoints.model import Payload
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.http_calls import post, send
from tests.adapters.pipeline import Pipeline
from tests.submission_factory import golden

BODY = {"language": "python", "code": "print(42)"}


def object_exists(aws: Aws, key: str) -> bool:
    try:
        Clients.s3().get_object(Bucket=aws.names["PayloadsBucket"], Key=key)["Body"].read()
    except ClientError:
        return False
    return True


def stored_by_runner(pipeline: Pipeline, submission: Submission) -> list[dict[str, Any]]:
    """Put the objects of the golden completion into the bucket, and return its artifacts for this submission."""
    files = golden("execution_completed/v1.artifacts")["artifacts"]
    for number, file in enumerate(files):
        file["key"] = f"outputs/{submission.submission_id}/{submission.execution_id}/artifact-{number}"
        bucket = pipeline.aws.names["PayloadsBucket"]
        Clients.s3().put_object(Bucket=bucket, Key=file["key"], Body=file["path"].encode())
    return list(files)


def shown(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in file.items() if name != "key"} for file in files]


@pytest.mark.parametrize(
    ("asked", "sent"), [("changed", "changed"), (["out/*.png", "*.csv", "*.csv"], ["out/*.png", "*.csv"])]
)
def test_a_request_that_keeps_files_is_version_3(aws: Aws, project_key: str, asked: object, sent: object) -> None:
    assert post(project_key, {**BODY, "artifacts": asked}).status == 202
    (message,) = aws.messages("BatchQueue")
    assert (message["version"], message["artifacts"]) == (3, sent)
    ExecutionRequested.parse(json.dumps(message))
    assert post(project_key, {**BODY, "artifacts": None}).status == 202
    other = next(each for each in aws.messages("BatchQueue") if each["submission_id"] != message["submission_id"])
    assert other["version"] == 1
    assert "artifacts" not in other


@pytest.mark.parametrize(
    "asked",
    [
        [],
        [""],
        ["/etc/passwd"],
        ["../up"],
        ["a/./b"],
        ["a//b"],
        ["out/[ab].png"],
        ["out/?.png"],
        ["{a,b}"],
        ["a**b"],
        ["x" * 256],
        ["\n"],
        ["a/b/c/d/e/f/g/h/i"],
        ["x"] * 33,
        "all",
        7,
        [7],
        {"a": 1},
    ],
    ids=str,
)
def test_other_patterns_are_refused_with_their_place(aws: Aws, project_key: str, asked: object) -> None:
    answer = post(project_key, {**BODY, "artifacts": asked})
    assert answer.status == 422
    fields = [problem["field"] for problem in answer.json["fields"]]
    assert all(re.fullmatch(r"artifacts(\[\d+\])?", field) for field in fields), answer.json
    assert not aws.messages("BatchQueue")


def test_result_and_events_list_the_files(pipeline: Pipeline) -> None:
    submission = pipeline.submit(artifact_patterns=["*"])
    files = stored_by_runner(pipeline, submission)
    assert pipeline.record(pipeline.completed(submission, "artifacts", artifacts=files)) == []
    row = pipeline.row(submission)
    assert row.artifact_patterns is None, "a final run never runs again"
    assert row.artifacts == {"stored": files, "skipped": [{"path": "out/link", "reason": "not_a_regular_file"}]}
    assert pipeline.webhook(*pipeline.hints()) == []
    (body,) = [json.loads(request.body) for request in pipeline.receiver.received]
    assert body["artifacts"] == shown(files)
    assert body["artifacts_skipped"] == [{"path": "out/link", "reason": "not_a_regular_file"}]


@pytest.mark.parametrize("serves_files", ["false", "true"])
def test_a_file_is_a_download_wherever_its_bytes_are(
    pipeline: Pipeline, project_key: str, monkeypatch: pytest.MonkeyPatch, serves_files: str
) -> None:
    monkeypatch.setenv("SERVES_FILES", serves_files)
    submission = pipeline.submit(artifact_patterns=["*"], project_id=PROJECT_ID)
    path = f"/api/result/{submission.submission_id}/artifacts"
    assert send(project_key, "GET", f"{path}/report.csv").status == 409
    files = stored_by_runner(pipeline, submission)
    assert pipeline.record(pipeline.completed(submission, "artifacts", artifacts=files)) == []
    for file in files:
        answer = send(project_key, "GET", f"{path}/{file['path']}")
        assert answer.status == 200
        if serves_files == "true":  # the gateway replaces the body
            assert answer.headers["x-stored-object-key"] == file["key"]
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert answer.headers["content-disposition"] == "attachment"
            continue
        link = answer.json
        assert {**file, "method": "GET", "url": link["url"], "expires_at": link["expires_at"]} == link | {
            "key": file["key"]
        }
        query = parse_qs(urlsplit(link["url"]).query)
        assert file["key"] in link["url"]
        assert query["response-content-disposition"] == ["attachment"]
        assert query["response-content-type"] == ["application/octet-stream"]
        assert query["X-Amz-Expires"] == ["300"]
    for other in ("out/link", "out", "report.csv/x", "%2e%2e/report.csv"):
        assert send(project_key, "GET", f"{path}/{other}").status == 404


def test_a_thin_event_counts_the_files(pipeline: Pipeline) -> None:
    pipeline.endpoint(payload=Payload.THIN)
    submission = pipeline.submit(artifact_patterns=["*"])
    files = stored_by_runner(pipeline, submission)
    assert pipeline.record(pipeline.completed(submission, "artifacts", artifacts=files)) == []
    assert pipeline.webhook(*pipeline.hints()) == []
    bodies = [json.loads(request.body) for request in pipeline.receiver.received]
    assert [body["artifacts"] for body in bodies if "result" not in body] == [2]


def test_a_runner_cannot_add_files_to_a_run_that_keeps_none(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    files = stored_by_runner(pipeline, submission)
    assert pipeline.record(pipeline.completed(submission, "artifacts", artifacts=files)) == []
    assert pipeline.row(submission).artifacts is None


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "outputs/7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a12/0d4b6a34-58a1-4d4c-b1c5-7b0f5e1f9c02/artifact-0"},
        {"key": "inputs/7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11"},
        {"path": "../up"},
        {"path": "/etc/passwd"},
        {"path": ""},
        {"path": "a\nb"},
        {"path": "ü" * 128},
        {"size": 26_214_401},
        {"size": -1},
        {"sha256": "xyz"},
        {"media_type": "text/html\r\nset-cookie: x"},
    ],
    ids=str,
)
def test_a_completion_of_an_attacked_runner_is_refused(pipeline: Pipeline, changes: dict[str, Any]) -> None:
    submission = pipeline.submit(artifact_patterns="changed")
    files = stored_by_runner(pipeline, submission)
    files[0] |= changes
    pipeline.record(pipeline.completed(submission, "artifacts", artifacts=files))
    assert not pipeline.row(submission).is_final


def test_a_deleted_result_has_no_objects_left(pipeline: Pipeline, project_key: str) -> None:
    submission = pipeline.submit(artifact_patterns=["*"], project_id=PROJECT_ID)
    files = stored_by_runner(pipeline, submission)
    assert pipeline.record(pipeline.completed(submission, "artifacts", artifacts=files)) == []
    assert all(object_exists(pipeline.aws, file["key"]) for file in files)
    answer = send(project_key, "DELETE", f"/api/result/{submission.submission_id}")
    assert answer.status == 200, answer
    assert not any(object_exists(pipeline.aws, file["key"]) for file in files)


def test_files_of_a_run_that_was_deleted_meanwhile_go_too(pipeline: Pipeline) -> None:
    submission = pipeline.submit(artifact_patterns=["*"])
    files = stored_by_runner(pipeline, submission)
    pipeline.submissions.delete(pipeline.row(submission))
    assert pipeline.record(pipeline.completed(submission, "artifacts", artifacts=files)) == []
    assert not any(object_exists(pipeline.aws, file["key"]) for file in files)


def test_the_row_of_a_hundred_long_names_fits_the_table_and_its_event(pipeline: Pipeline) -> None:
    submission = pipeline.submit(artifact_patterns="changed")
    prefix = f"outputs/{submission.submission_id}/{submission.execution_id}"
    files = [
        {"path": f"{number:03}" + "€" * 84, "size": 1, "sha256": "0" * 64, "media_type": "text/plain"}
        | {"key": f"{prefix}/artifact-{number}"}
        for number in range(100)
    ]
    skipped = [{"path": "€" * 85, "reason": "too_many_files"}] * 20
    message = pipeline.completed(submission, "artifacts", artifacts=files, artifacts_skipped=skipped)
    assert len(message) < 1_048_576
    assert pipeline.record(message) == []
    assert pipeline.webhook(*pipeline.hints()) == []
    (body,) = [json.loads(request.body) for request in pipeline.receiver.received]
    assert len(body["artifacts"]) == 100
