"""Projects, keys, endpoints and quotas move from one machine to tables with another KMS key."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from functions.aws.dynamodb.items import to_item
from functions.event_log.rows import count_key
from functions.projects.model import Project
from functions.projects.quota import Quota
from functions.projects.store import KeyProblem, ProjectStore
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.endpoints.rows import endpoint_row
from functions.webhooks.endpoints.store import EndpointStore
from functions.webhooks.sending.attempt.endpoint_secrets import EndpointSecrets
from functions.webhooks.target.secret_box import SecretBoxes
from infra.deploy import importing
from infra.deploy.errors import DeployError
from infra.deploy.progress import Progress
from infra.deploy.target import Target
from infra.embedded.engine import Engine, open_engine
from infra.local.settings import API_KEY
from infra.local.state.export import _write, document_of
from tests.embedded.backend import Backend, session_of

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
QUOTA = Quota(per_minute=7, per_day=70, in_flight=2)
NOW_MS = 1_800_000_000_000


class Side:
    """Tables and a KMS key of one engine."""

    def __init__(self, engine: Engine) -> None:
        backend = Backend("engine", session_of(engine))
        self.dynamodb, self.kms = backend.client("dynamodb"), backend.client("kms")
        self.projects, self.deliveries = backend.create_table(), backend.create_table()
        self.key_id = self.kms.create_key(Description="x")["KeyMetadata"]["KeyId"]
        self.boxes = SecretBoxes(self.key_id, lambda: self.kms)
        self.project_store = ProjectStore(self.projects, self.dynamodb)
        self.endpoint_store = EndpointStore(self.deliveries, self.dynamodb)


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    engines = [open_engine(tmp_path / name, synchronous="NORMAL") for name in ("from", "to")]
    yield Side(engines[0]), Side(engines[1])
    for engine in engines:
        engine.close()


def fill(side: Side) -> str:
    side.project_store.create_project(Project("p1", "Mine", ("judge",), {"judge": QUOTA}))
    side.project_store.create_project(Project("dev", "Development"))
    side.project_store.issue_key("dev", api_key=API_KEY)
    endpoint = Endpoint(
        endpoint_id="e1",
        project_id="p1",
        url="https://example.com/hook",
        events=("submission.completed",),
        description="",
        header_names=("X-Own",),
        headers_box=side.boxes.seal("value", "p1", "e1", "headers"),
        secret_box=side.boxes.seal(SECRET, "p1", "e1"),
        previous_secret_box=side.boxes.seal(SECRET, "p1", "e1"),
        previous_until_ms=NOW_MS + 1,
        enabled=True,
        disabled_reason=None,
        disabled_at=None,
        failing=None,
        created_at="2026-01-01T00:00:00.000Z",
        updated_at="2026-01-01T00:00:00.000Z",
        max_concurrency=3,
        max_per_second=0,
    )
    side.dynamodb.put_item(TableName=side.deliveries, Item=to_item({**endpoint_row(endpoint), "busy_until_ms": 1}))
    side.dynamodb.put_item(TableName=side.deliveries, Item={**count_key("p1"), "count": {"N": "1"}})
    side.dynamodb.put_item(
        TableName=side.deliveries, Item=to_item({"pk": "EVENT#1", "sk": "DELIVERY#e1", "state": "pending"})
    )
    return side.project_store.issue_key("p1")


def do_import(monkeypatch: pytest.MonkeyPatch, side: Side, path: Path) -> None:
    class FoundStack:
        def __init__(self, *_: object) -> None:
            """Stand in for CloudFormation, which says the same by logical id."""

        def describe(self) -> dict[str, Any]:
            return {}

        def resources(self) -> dict[str, str]:
            return {
                "ProjectsTable": side.projects,
                "DeliveriesTable": side.deliveries,
                "EndpointSecretsKey": side.key_id,
            }

    monkeypatch.setattr(importing, "Stack", FoundStack)
    monkeypatch.setattr(Target, "client", lambda _, service: {"dynamodb": side.dynamodb, "kms": side.kms}[service])
    importing.import_file(Target("prod", "us-east-1", None), path, Progress())


def test_an_export_works_with_another_key(
    sides: tuple[Side, Side], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = sides
    api_key, path = fill(before), tmp_path / "export.json"
    _write(path, document_of(before.dynamodb, before.kms, before.projects, before.deliveries))
    assert path.stat().st_mode & 0o777 == 0o600
    assert api_key not in path.read_text()
    do_import(monkeypatch, after, path)
    project = after.project_store.find_key(api_key)
    assert isinstance(project, Project)
    assert (project.name, project.quotas) == ("Mine", {"judge": QUOTA})
    assert after.project_store.find_key(API_KEY) is KeyProblem.UNKNOWN
    (endpoint,) = after.endpoint_store.list_all("p1")
    (original,) = before.endpoint_store.list_all("p1")
    boxes = {"secret_box": b"", "previous_secret_box": b"", "headers_box": b""}
    assert replace(endpoint, **boxes) == replace(original, **boxes)  # type: ignore[arg-type]
    secrets = EndpointSecrets(SecretBoxes(after.key_id, lambda: after.kms))
    assert secrets.keys(endpoint, NOW_MS) == EndpointSecrets(before.boxes).keys(original, NOW_MS)
    assert len(secrets.keys(endpoint, NOW_MS)) == 2
    assert secrets.headers(endpoint) == {"X-Own": "value"}
    rows = after.dynamodb.scan(TableName=after.deliveries)["Items"]
    assert sorted(row["sk"]["S"] for row in rows) == ["ENDPOINT#e1", "ENDPOINTS"]
    assert all("busy_until_ms" not in row for row in rows)
    capsys.readouterr()
    do_import(monkeypatch, after, path)
    assert "0 rows written" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "{}", json.dumps({"version": 999})])
def test_a_file_that_is_no_export_is_refused(sides: tuple[Side, Side], tmp_path: Path, text: str) -> None:
    path = tmp_path / "export.json"
    path.write_text(text)
    with pytest.raises(DeployError):
        importing.import_file(Target("prod", "us-east-1", None), path, Progress())
    assert sides[1].dynamodb.scan(TableName=sides[1].projects)["Items"] == []
