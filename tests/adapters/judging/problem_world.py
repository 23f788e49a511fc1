"""Problems over the engine: what a client sends, at a time of the test's."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from events.files import StoredFile
from events.requested import Judging
from tests.adapters.aws_account import API_KEY, PROJECT_ID, Aws
from tests.adapters.files.file_factory import Content, stored
from tests.adapters.http_calls import Answer, send

PROGRAM: dict[str, Any] = {"language": "python", "code": "print(sum(map(int, input().split())))"}
SUM: dict[str, Any] = {
    "id": "sum",
    "cases": [
        {"id": "sample", "stdin": "1 2\n", "expected": "3\n", "points": 2},
        {"id": "secret", "stdin": "20 22\n", "expected": "42\n", "visibility": "verdict"},
    ],
}


def push(problem: Mapping[str, Any] = SUM, key: str = API_KEY, **more: Any) -> Answer:
    """POST /api/problems."""
    return send(key, "POST", "/api/problems", {**problem, **more})


def pushed(problem: Mapping[str, Any] = SUM, key: str = API_KEY, **more: Any) -> str:
    """Store a problem; return `id@version`."""
    answer = push(problem, key, **more)
    assert answer.status == 200, answer.raw
    return f"{answer.json['id']}@{answer.json['version']}"


def judge_problem(problem: str, key: str = API_KEY, **more: Any) -> Answer:
    """POST /api/judge for a problem."""
    return send(key, "POST", "/api/judge", {**PROGRAM, "problem": problem, **more}, query={"wait": "false"})


def read_object(aws: Aws, stored_object: StoredFile) -> bytes:
    """Read an object as a runner does."""
    found = aws.client("s3").get_object(Bucket=aws.names["PayloadsBucket"], Key=stored_object.key)
    content: bytes = found["Body"].read()
    return content


def has_object(aws: Aws, object_key: str) -> bool:
    client = aws.client("s3")
    try:
        client.head_object(Bucket=aws.names["PayloadsBucket"], Key=object_key)
    except ClientError:
        return False
    return True


def judging_of(aws: Aws, stored_object: StoredFile) -> Judging:
    """Read the cases of a problem as a runner does."""
    return Judging.parse(read_object(aws, stored_object))


def stored_text(aws: Aws, text: str, key: str = API_KEY, project_id: str = PROJECT_ID) -> str:
    """Store a file; return its hash."""
    return stored(aws, project_id, Content(text.encode(), "text/plain"), key).sha256


def problems_of(answer: Answer) -> list[str]:
    """The wrong fields that an answer names."""
    assert answer.status == 422, answer.raw
    return [problem["field"] for problem in json.loads(answer.raw)["fields"]]
