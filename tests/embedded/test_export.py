"""Projects, keys, quotas, endpoints, consumers and checks move from one machine to tables with another KMS key."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from functions.aws.dynamodb.items import to_item
from functions.checks import keys
from functions.checks.settings.check_settings import CheckSettings
from functions.checks.settings.store import Check, CheckStore
from functions.checks.state import Standing, State
from functions.checks.views import check_view
from functions.clock import now_ms
from functions.event_log.log import ConsumerStore
from functions.event_log.rows import count_key
from functions.files.model import File, FileState
from functions.files.objects import FileObjects
from functions.files.store import FileStore
from functions.project_secrets.store import ProjectSecret, SecretStore
from functions.projects.model import NetworkAccess, Project, ProjectNetwork, Quota
from functions.projects.store import FoundKey, KeyProblem, ProjectStore
from functions.webhooks.endpoints.model import BodyFormat, Endpoint, RunFilters, SubmissionKind
from functions.webhooks.endpoints.store import EndpointStore, endpoint_row
from functions.webhooks.sealed_secrets import EndpointSecrets, SecretBoxes
from functions.webhooks.views import endpoint_body
from infra.deploy import importing
from infra.deploy.target import DeployError, Progress, Target
from infra.embedded.engine import Engine, open_engine
from infra.local.export import (
    CHECK_BOXES,
    ENDPOINT_BOXES,
    PROJECT_SECRET_BOXES,
    _write,
    document_of,
    folder_of,
    write_contents,
)
from infra.local.settings import API_KEY
from tests.embedded.backend import Backend, session_of

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
QUOTA = Quota(per_minute=7, per_day=70, in_flight=2)
NETWORK = ProjectNetwork(NetworkAccess.LISTED, ("*.example.com:443",), mb_per_day=7)
NOW_MS = 1_800_000_000_000


class Side:
    """Tables and a KMS key of one engine."""

    def __init__(self, engine: Engine) -> None:
        backend = Backend("engine", session_of(engine))
        self.dynamodb, self.kms = backend.client("dynamodb"), backend.client("kms")
        self.projects, self.deliveries, self.checks, self.submissions = (backend.create_table() for _ in range(4))
        self.s3, self.bucket = backend.client("s3"), "payloads"
        self.s3.create_bucket(Bucket=self.bucket)
        self.files = FileStore(self.submissions, self.dynamodb)
        self.key_id = self.kms.create_key(Description="x")["KeyMetadata"]["KeyId"]
        self.boxes = SecretBoxes(self.key_id, lambda: self.kms)
        self.project_store = ProjectStore(self.projects, self.dynamodb)
        self.endpoint_store = EndpointStore(self.deliveries, self.dynamodb)
        self.check_store = CheckStore(self.checks, self.dynamodb)
        self.consumers = ConsumerStore(self.deliveries, self.projects, self.dynamodb, lambda: NOW_MS)

    def document(self) -> dict[str, Any]:
        tables = (self.projects, self.deliveries, self.checks, self.submissions)
        return document_of(self.dynamodb, self.kms, *tables)


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    engines = [open_engine(tmp_path / name, synchronous="NORMAL") for name in ("from", "to")]
    yield Side(engines[0]), Side(engines[1])
    for engine in engines:
        engine.close()


def fill(side: Side) -> str:
    side.project_store.create_project(Project("p1", "Mine", ("judge",), {"judge": QUOTA}, NETWORK))
    side.project_store.create_project(Project("dev", "Development"))
    side.project_store.issue_key("dev", api_key=API_KEY)
    endpoint = Endpoint(
        endpoint_id="e1",
        project_id="p1",
        url="https://example.com/hook",
        events=("submission.completed",),
        description="",
        headers={"X-Own": "***"},
        headers_box=side.boxes.seal("value", "p1", "e1", "headers"),
        routing_key="***",
        routing_key_box=side.boxes.seal("key", "p1", "e1", "routing_key"),
        format=BodyFormat.PAGERDUTY,
        kinds=(SubmissionKind.CHECK,),
        filters=RunFilters(metadata={"base64": "x"}),
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
                "ChecksTable": side.checks,
                "SubmissionsTable": side.submissions,
                "PayloadsBucket": side.bucket,
                "EndpointSecretsKey": side.key_id,
            }

    clients = {"dynamodb": side.dynamodb, "kms": side.kms, "s3": side.s3}
    monkeypatch.setattr(importing, "Stack", FoundStack)
    monkeypatch.setattr(Target, "client", lambda _, service: clients[service])
    importing.import_file(Target("prod", "us-east-1", None), path, Progress())


def test_an_export_works_with_another_key(
    sides: tuple[Side, Side], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = sides
    api_key, path = fill(before), tmp_path / "export.json"
    _write(path, before.document())
    assert path.stat().st_mode & 0o777 == 0o600
    assert api_key not in path.read_text()
    do_import(monkeypatch, after, path)
    found = after.project_store.find_key(api_key)
    assert isinstance(found, FoundKey)
    project = found.project
    assert (project.name, project.quotas, project.network) == ("Mine", {"judge": QUOTA}, NETWORK)
    assert after.project_store.find_key(API_KEY) is KeyProblem.UNKNOWN
    (endpoint,) = after.endpoint_store.list_all("p1")
    (original,) = before.endpoint_store.list_all("p1")
    assert endpoint_body(endpoint, NOW_MS) == endpoint_body(original, NOW_MS)
    boxes: dict[str, Any] = dict.fromkeys(ENDPOINT_BOXES, b"")
    assert replace(endpoint, **boxes) == replace(original, **boxes)
    secrets = EndpointSecrets(SecretBoxes(after.key_id, lambda: after.kms))
    assert secrets.keys(endpoint, NOW_MS) == EndpointSecrets(before.boxes).keys(original, NOW_MS)
    assert len(secrets.keys(endpoint, NOW_MS)) == 2
    assert secrets.headers(endpoint) == {"X-Own": "value"}
    assert secrets.routing_key(endpoint) == "key"
    rows = after.dynamodb.scan(TableName=after.deliveries)["Items"]
    assert sorted(row["sk"]["S"] for row in rows) == ["ENDPOINT#e1", "ENDPOINTS"]
    assert all("busy_until_ms" not in row for row in rows)
    capsys.readouterr()
    do_import(monkeypatch, after, path)
    assert "0 rows written" in capsys.readouterr().out


CHECK_ID = "5b0a4a3e-0d53-4f5e-9c5d-6f6f4b5a0c11"
OWNER = f"check:{CHECK_ID}"
SETTINGS: dict[str, Any] = {
    "name": "Totals",
    "slug": "totals",
    "language": "python",
    "code": "print(1)",
    "stdin": "2",
    "tags": ["db"],
    "env": {"TOKEN": "***", "EMPTY": "***"},
    "schedule": "rate(5 minutes)",
    "spread_minutes": 3,
    "trigger": {"type": "check", "slug": "import"},
    "report": {"github_status": {"token": "***", "context": "c"}},
    "assertions": [{"type": "stdout", "contains": "42"}],
}


def fill_checks(side: Side) -> Check:
    """Put a check with all that belongs to it, and what stays behind."""
    check = Check(
        check_id=CHECK_ID,
        project_id="p1",
        settings=CheckSettings.model_validate(SETTINGS),
        created_at="2026-01-01T00:00:00.000Z",
        updated_at="2026-01-01T00:00:00.000Z",
        anchor_ms=NOW_MS,
        badge_token="b" * 32,
        standing=Standing(state=State.FAILING, since_ms=7),
        next_slot_ms=NOW_MS,
        open_run_id="of the old machine",
        ping_hash="h",
        env_boxes={"TOKEN": side.boxes.seal("t0p", "p1", OWNER, "environment"), "EMPTY": b""},
        report_box=side.boxes.seal("ghp", "p1", OWNER, "report"),
    )
    side.check_store.create(check)
    hook: dict[str, Any] = {"owner": ["p1", CHECK_ID], "box": side.boxes.seal("whsec", "p1", OWNER, "inbound")}
    others = (
        keys.hook_key(CHECK_ID) | to_item(hook),
        keys.good_key("p1", CHECK_ID) | to_item({"output": b"42"}),
        keys.ping_key("h") | to_item({"owner": ["p1", CHECK_ID]}),
        keys.quiet_key("p1") | to_item({"tags": "{}"}),
        keys.status_page_key("p1") | to_item({"token": "s"}),
        keys.status_token_key("s") | to_item({"project_id": "p1"}),
        keys.run_key("p1", CHECK_ID, "r") | to_item({"run_id": "r"}),
        keys.requests_key("p1", "judge", 1) | to_item({"count": 1}),
        keys.clock_key() | to_item({"at": 1}),
    )
    for item in others:
        side.dynamodb.put_item(TableName=side.checks, Item=item)
    return check


def test_checks_and_consumers_move_whole(
    sides: tuple[Side, Side], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = sides
    fill(before)
    fill_checks(before)
    before.consumers.create("p1", "grader", 500)
    path = tmp_path / "export.json"
    _write(path, before.document())
    do_import(monkeypatch, after, path)
    original, moved = (side.check_store.get("p1", CHECK_ID, with_source=True) for side in sides)
    assert original is not None
    assert moved is not None
    assert check_view(moved, NOW_MS) == check_view(original, NOW_MS)
    boxes: dict[str, Any] = {"env_boxes": {}, "report_box": b"", "open_run_id": None}
    assert replace(moved, **boxes) == replace(original, **boxes)
    assert moved.open_run_id is None  # that run stays behind: with it, no run would start again
    opened = SecretBoxes(after.key_id, lambda: after.kms)
    assert opened.open(moved.env_boxes["TOKEN"], "p1", OWNER, "environment") == "t0p"
    assert opened.open(moved.report_box, "p1", OWNER, "report") == "ghp"
    assert moved.env_boxes["EMPTY"] == b""
    hook = after.dynamodb.get_item(TableName=after.checks, Key=keys.hook_key(CHECK_ID))["Item"]
    assert opened.open(hook["box"]["B"], "p1", OWNER, "inbound") == "whsec"
    assert after.check_store.badge("b" * 32) == ("p1", CHECK_ID)
    assert after.check_store.id_of_slug("p1", "totals") == CHECK_ID
    assert [(one.name, one.position) for one in after.consumers.list_all("p1")] == [("grader", 0)]
    stay = {("CLOCK", "CLOCK"), (f"RUNS#p1#{CHECK_ID}", "r"), ("PROJECT#p1", "REQUESTS#judge#1")}
    assert names_of(before) - names_of(after) == stay
    assert names_of(after) <= names_of(before)


@pytest.mark.parametrize(
    "rules",
    [
        {"placement": "bearer"},
        {"placement": "query", "parameter": "key", "methods": ("GET",), "paths": ("/a", "/b"), "last_used_at": "x"},
    ],
)
def test_secrets_of_a_project_move_and_open_with_the_other_key_only(
    sides: tuple[Side, Side], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rules: dict[str, Any]
) -> None:
    before, after = sides
    fill(before)
    unsealed = ProjectSecret("github", "api.example.com", 443, created_at="c", updated_at="u", **rules)
    context = unsealed.context("p1")
    box = before.kms.encrypt(KeyId=before.key_id, Plaintext=b"ghp_value", EncryptionContext=context)["CiphertextBlob"]
    secret = replace(unsealed, box=box)
    SecretStore(before.deliveries, before.dynamodb).put("p1", secret, [])
    path = tmp_path / "export.json"
    _write(path, before.document())
    do_import(monkeypatch, after, path)
    (moved,) = SecretStore(after.deliveries, after.dynamodb).list_all("p1")
    assert replace(moved, box=box) == secret
    # The context as the runner's opener gets it.
    opened = after.kms.decrypt(CiphertextBlob=moved.box, EncryptionContext=moved.sealed.context("p1"))
    assert opened["Plaintext"] == b"ghp_value"
    with pytest.raises(before.kms.exceptions.ClientError):
        before.kms.decrypt(CiphertextBlob=moved.box, EncryptionContext=context)
    with pytest.raises(after.kms.exceptions.ClientError):
        after.kms.decrypt(CiphertextBlob=moved.box, EncryptionContext=replace(moved, port=444).context("p1"))


def store_file(side: Side, raw: bytes, holder: str | None = None) -> File:
    key = f"files/{hashlib.md5(raw, usedforsecurity=False).hexdigest()}"
    file = File("p1", hashlib.sha256(raw).hexdigest(), len(raw), "text/csv", key, "2026-01-01T00:00:00.000Z", NOW_MS)
    stored = replace(file, state=FileState.STORED)
    assert side.files.create(stored, 1 << 30)
    side.s3.put_object(Bucket=side.bucket, Key=key, Body=raw, ContentType="text/csv")
    if holder is not None:
        side.files.hold("p1", [file.sha256], holder)
    return stored


def test_the_files_of_checks_move_with_them_and_others_stay(
    sides: tuple[Side, Side], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = sides
    fill(before)
    held, loose = store_file(before, b"x" * 2_000_000, f"check {CHECK_ID}"), store_file(before, b"loose", "problem p")
    path, document = tmp_path / "export.json", before.document()
    write_contents(before.s3, before.bucket, document["files"], folder_of(path))
    _write(path, document)
    assert folder_of(path).stat().st_mode & 0o777 == 0o700
    for written in (1, 0):
        do_import(monkeypatch, after, path)
        assert f"{written} stored files written" in capsys.readouterr().out
    moved = after.files.get("p1", held.sha256)
    assert moved is not None
    assert replace(moved, due_at_ms=held.due_at_ms) == held
    assert moved.due_at_ms > now_ms(), "it stays for a day, and then as long as the check names it"
    assert FileObjects(after.bucket, lambda: after.s3).is_stored(moved)
    assert after.files.holders("p1", held.sha256) == [f"check {CHECK_ID}"]
    assert after.files.get("p1", loose.sha256) is None
    assert after.files.usage("p1") == (2_000_000, 1)


def test_an_export_and_its_folder_are_on_the_disk_with_their_names(
    sides: tuple[Side, Side], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine that wrote them is given up after the import."""
    fill(sides[0])
    store_file(sides[0], b"x", f"check {CHECK_ID}")
    path, document = tmp_path / "export.json", sides[0].document()
    flushed = set[int]()
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.add(os.fstat(descriptor).st_ino))
    write_contents(sides[0].s3, sides[0].bucket, document["files"], folder_of(path))
    _write(path, document)
    (content,) = folder_of(path).iterdir()
    assert {one.stat().st_ino for one in (content, folder_of(path), path, tmp_path)} <= flushed


def test_an_export_without_its_folder_says_what_is_missing(
    sides: tuple[Side, Side], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sides[0])
    store_file(sides[0], b"x", f"check {CHECK_ID}")
    path = tmp_path / "export.json"
    _write(path, sides[0].document())
    with pytest.raises(DeployError, match=r"the folder export.json.files belongs beside"):
        do_import(monkeypatch, sides[1], path)
    assert sides[1].project_store.find_key(API_KEY) is KeyProblem.UNKNOWN


def names_of(side: Side) -> set[tuple[str, str]]:
    """Return the keys of all rows about checks."""
    return {(row["pk"]["S"], row["sk"]["S"]) for row in side.dynamodb.scan(TableName=side.checks)["Items"]}


def test_every_sealed_attribute_is_moved() -> None:
    def boxes(kind: Any) -> set[str]:
        return {field.name for field in fields(kind) if field.name.endswith(("_box", "_boxes"))}

    assert boxes(Endpoint) == ENDPOINT_BOXES.keys()
    assert boxes(Check) == CHECK_BOXES.keys()
    assert [field.name for field in fields(ProjectSecret) if field.type is bytes] == [*PROJECT_SECRET_BOXES]


def test_it_is_decided_for_every_kind_of_row_of_checks_whether_it_moves() -> None:
    """A new one belongs into `moved_rows` and `fill_checks`, or to those that stay."""
    stay = {"clock_key", "requests_key", "run_key", "outage_key", "ping_body_key", "event_key"}
    filled = {
        *("check_key", "source_key", "good_key", "slug_key", "count_key", "quiet_key", "status_page_key"),
        *("status_token_key", "badge_key", "ping_key", "hook_key", "trigger_key"),
    }
    known = {name for name, value in vars(keys).items() if name.endswith("_key") and callable(value)}
    assert known == stay | filled


@pytest.mark.parametrize("text", ["", "{}", json.dumps({"version": 999})])
def test_a_file_that_is_no_export_is_refused(sides: tuple[Side, Side], tmp_path: Path, text: str) -> None:
    path = tmp_path / "export.json"
    path.write_text(text)
    with pytest.raises(DeployError):
        importing.import_file(Target("prod", "us-east-1", None), path, Progress())
    assert sides[1].dynamodb.scan(TableName=sides[1].projects)["Items"] == []
