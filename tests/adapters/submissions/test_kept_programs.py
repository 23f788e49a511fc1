"""Programs that are kept for a day: the request that keeps one, who reads it, and its end."""

import json
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.aws.clients import Clients
from functions.clock import from_rfc3339
from functions.handlers import result as results
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from functions.submissions.results.results import Results
from tests.adapters.aws_account import Aws
from tests.adapters.http_calls import post, send
from tests.adapters.pipeline import Pipeline, logged
from tests.submission_factory import golden

SECRET = "not to be kept"
PROGRAM: dict[str, Any] = {
    "language": "python",
    "code": "print('<script>alert(1)</script>', input())",
    "stdin": "a line\n",
    "limits": {"cpu_time_secs": 1.5},
    "artifacts": ["*.csv"],
    "files": [{"path": "data.csv", "content": "a,b\n"}],
}
REQUEST = PROGRAM | {
    "keep_code": True,
    "metadata": {"build": SECRET},
    "webhook_url": "https://hooks.example.com/",
    "webhook_secret": SECRET,
    "unknown": SECRET,
}
DAY_MS = 86_400_000


def submitted(key: str, **changes: Any) -> str:
    answer = post(key, REQUEST | changes)
    assert answer.status == 202, answer.raw
    return str(answer.json["id"])


def path(submission: str) -> str:
    return f"/api/result/{submission}/program"


def is_kept(aws: Aws, submission: str) -> bool:
    try:
        Clients.s3().get_object(Bucket=aws.names["PayloadsBucket"], Key=f"programs/{submission}")["Body"].read()
    except ClientError:
        return False
    return True


def test_a_kept_program_is_answered_as_it_was_sent_without_secrets(aws: Aws, project_key: str) -> None:
    submission = submitted(project_key, language="PY")
    found = send(project_key, "GET", path(submission))
    assert found.status == 200, found.raw
    assert found.json["request"] == PROGRAM
    assert SECRET.encode() not in found.raw
    created_at = send(project_key, "GET", f"/api/result/{submission}").json["timestamps"]["created_at"]
    assert from_rfc3339(found.json["expires_at"]) == from_rfc3339(created_at) + DAY_MS
    assert post(project_key, found.json["request"]).status == 202
    (stored,) = [each for each in aws.items("SubmissionsTable") if each["pk"]["S"] == f"SUBMISSION#{submission}"]
    assert stored["program_key"]["S"] == f"programs/{submission}"


@pytest.mark.parametrize("keep_code", [False, None])
def test_a_program_is_not_kept_unless_the_request_says_so(aws: Aws, project_key: str, keep_code: object) -> None:
    submission = submitted(project_key, keep_code=keep_code)
    assert not is_kept(aws, submission)
    assert send(project_key, "GET", path(submission)).status == 404


@pytest.mark.parametrize("keep_code", ["true", 1, []])
def test_keep_code_is_true_or_false(project_key: str, keep_code: object) -> None:
    refused = post(project_key, REQUEST | {"keep_code": keep_code})
    assert (refused.status, refused.json["fields"][0]["field"]) == (422, "keep_code")


def test_no_message_event_result_or_log_has_a_kept_program(
    aws: Aws, pipeline: Pipeline, project_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    submission = submitted(project_key, stdin="", files=None)
    (message,) = aws.messages("BatchQueue")
    assert "programs/" not in json.dumps(message)
    assert pipeline.record(json.dumps(golden("execution_completed/v1.accepted") | {"submission_id": submission})) == []
    for place in (f"/api/result/{submission}", "/api/results", f"/api/events/{submission}"):
        answer = send(project_key, "GET", place)
        assert answer.status == 200, answer.raw
        assert b"alert(1)" not in answer.raw
        assert b"programs/" not in answer.raw
    assert send(project_key, "GET", path(submission)).json["request"]["code"] == PROGRAM["code"]
    assert "alert(1)" not in logged(caplog)


def test_another_project_finds_no_program(aws: Aws, project_key: str) -> None:
    submission = submitted(project_key)
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    projects.create_project(Project("other", "Other", ("judge",), {}))
    other = send(projects.issue_key("other"), "GET", path(submission))
    unknown = send(project_key, "GET", path("00000000-0000-4000-8000-000000000000"))
    assert (other.status, other.json) == (unknown.status, unknown.json)
    assert other.status == 404


def test_a_program_goes_with_its_result(aws: Aws, project_key: str) -> None:
    submission = submitted(project_key)
    assert is_kept(aws, submission)
    assert send(project_key, "DELETE", f"/api/result/{submission}").status == 200
    assert not is_kept(aws, submission)
    assert send(project_key, "GET", path(submission)).status == 404


def test_a_program_older_than_a_day_is_gone_even_if_its_object_is_not(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = submitted(project_key)
    created_at = send(project_key, "GET", f"/api/result/{submission}").json["timestamps"]["created_at"]
    made_ms = from_rfc3339(created_at)
    for age_ms, status in ((DAY_MS - 1, 200), (DAY_MS, 404)):
        monkeypatch.setattr(results.ENV[Results], "_clock", partial(int, made_ms + age_ms))
        assert send(project_key, "GET", path(submission)).status == status
    assert is_kept(aws, submission)


def test_the_bucket_deletes_kept_programs_after_a_day(aws: Aws) -> None:
    bucket = aws.template["Resources"]["PayloadsBucket"]["Properties"]
    rules = [rule for rule in bucket["LifecycleConfiguration"]["Rules"] if rule.get("Prefix") == "programs/"]
    assert [(rule["Status"], rule["ExpirationInDays"]) for rule in rules] == [("Enabled", 1)]
