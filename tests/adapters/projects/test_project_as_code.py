"""`rustbox plan`, `apply` and `export` over HTTP against the real entry points."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # no stubs are installed
from click.testing import CliRunner, Result

from functions.aws.clients import Clients
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from rustbox_cli.__main__ import cli
from rustbox_cli.api import Api
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.http_calls import Answer, call, event
from tests.adapters.scripted_service import Asked, Reply, open_service

HEADERS = ("x-api-key", "x-admin-key", "idempotency-key", "content-type")
AGENT = {"per_minute": 70, "per_day": 7000, "in_flight": 7}
OTHER = "other-project"
OTHER_KEY = "rb_live_of_the_other_project"
SECRETS = {
    "PAGER_KEY": "e93facc04764012d7bfb002500d5d1a6",
    "CHAT_URL": "https://hooks.slack.com/services/T0/B0/very-secret",
    "HOOK_SECRET": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "TEAM_TOKEN": "very-secret",
    "API_TOKEN": "very-secret-too",
    "GITHUB_TOKEN": "very-secret-as-well",
    "SECRET_GITHUB": "ghp_0123456789",
    "SECRET_MAPS": "key_0123456789",
}
CASES: dict[str, str] = {"1.in": "1 2\n", "1.ans": "3\n", "2.in": "20 22\n", "2.ans": "42\n"}


def project(**changes: Any) -> dict[str, Any]:
    """A file with every part. `changes`: other parts; None: without it."""
    whole = {
        "project": {
            "profiles": ["judge", "agent"],
            "quotas": {"judge": {"per_minute": 600, "per_day": 9000, "in_flight": 50}, "agent": AGENT},
            "network": {"access": "listed", "allow": ["API.example.com", "*.example.org:8443"]},
            "files_mb": 2048,
        },
        "secrets": {
            "github": {
                "value": "$SECRET_GITHUB",
                "host": "API.example.com",
                "as": "bearer",
                "methods": ["GET", "GET"],
                "paths": ["/repos/acme"],
            },
            "maps": {"value": "$SECRET_MAPS", "host": "a.example.org:8443", "as": {"query": "key"}},
        },
        "quiet_times": {"database": [{"schedule": "cron(0 2 ? * SUN *)", "minutes": 120}]},
        "endpoints": [
            {
                "description": "Grades",
                "url": "https://hooks.example.com/grades",
                "events": ["submission.completed", "submission.completed"],
                "headers": {"X-Team": "$TEAM_TOKEN", "x-plain": "$$7"},
                "filters": {"verdicts": ["RE"], "languages": ["c++"]},
                "transform": {"language": "py", "code": "import sys\nprint(sys.stdin.read())\n"},
                "secret": "$HOOK_SECRET",
            },
            {"description": "Chat", "url": "$CHAT_URL", "format": "slack", "kinds": ["run", "judge", "check"]},
            {
                "description": "Pager",
                "url": "https://events.pagerduty.com/v2/enqueue",
                "format": "pagerduty",
                "routing_key": "$PAGER_KEY",
                "ordered": True,
            },
            {"url": "https://hooks.example.com/plain", "payload": "thin", "enabled": False, "asymmetric": True},
        ],
        "problems": "problems",
        "defaults": {"timezone": "Europe/Berlin"},
        "checks": [
            {
                "slug": "totals",
                "name": "Nightly: totals",
                "file": "a.py",
                "schedule": "cron(30 2 * * ? *)",
                "network": {"allow": ["API.example.com"], "secrets": ["github"]},
                "env": {"API_TOKEN": "$API_TOKEN"},
                "notify": ["Chat", "Pager"],
                "stdin": "1\n2\n",
                "limits": {"memory_mb": 64},
                "files": [
                    {"path": "b.txt", "content": "x"},
                    {"path": "c", "content_base64": "eA==", "read_only": True},
                ],
                "artifacts": ["out/*"],
                "quiet": [{"schedule": "0 2 * * *", "minutes": 5}],
                "events": ["push"],
                "match": {"$.ref": "refs/heads/main", "$.forced": False},
                "fail_after": {"of": 3},
                "remind_hours": 3,
                "runbook_url": "https://wiki.example.com/x",
                "muted_until": "2027-01-31T12:00:00Z",
                "assertions": [{"type": "json", "path": "$.a", "equals": None}, {"type": "stdout", "contains": "4"}],
                "report": {"github_status": {"token": "$GITHUB_TOKEN", "context": "tests"}},
            },
            {"slug": "after", "language": "js", "file": "a.js", "trigger": {"type": "check", "slug": "totals"}},
            {"slug": "backup", "kind": "heartbeat", "schedule": "rate(1 day)", "grace_minutes": 30, "tags": ["x"]},
        ],
        "status_page": {"title": "Example", "checks": ["backup", "totals"]},
        **changes,
    }
    return {name: part for name, part in whole.items() if part is not None}


def write(whole: dict[str, Any], path: str = "project.yaml") -> None:
    Path("a.py").write_text("print(42)\n")
    Path("a.js").write_text("console.log(1)\n")
    for name, text in CASES.items():
        Path("problems", "sum").mkdir(parents=True, exist_ok=True)
        Path("problems", "sum", name).write_text(text)
    Path(path).write_text(yaml.safe_dump(whole, sort_keys=False))


@dataclass
class Commands:
    """The command line, and what it has asked the service for."""

    monkeypatch: pytest.MonkeyPatch
    projects_table: str
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, *arguments: str) -> Result:
        self.asked.clear()
        return CliRunner(mix_stderr=False).invoke(cli, arguments)

    @property
    def writes(self) -> list[tuple[str, str]]:
        """The requests that may change something."""
        return [each for each in self.asked if each[0] != "GET" and not each[1].endswith("/validate")]

    def of_other_project(self) -> None:
        self.monkeypatch.setenv("RUSTBOX_API_KEY", OTHER_KEY)


@pytest.fixture
def rustbox(
    aws: Aws,
    project_key: str,
    admin_key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: list[dict[str, Any]],
) -> Iterator[Commands]:
    commands = Commands(monkeypatch, aws.names["ProjectsTable"])

    def answer(asked: Asked) -> Reply:
        commands.asked.append((asked.method, asked.path))
        headers = {name: asked.headers[name] for name in HEADERS if name in asked.headers}
        body = None if asked.body is None else json.dumps(asked.body)
        got: Answer = call(event(asked.method, asked.path, headers=headers, query=asked.query, body=body))
        return Reply(got.status, got.raw, dict(got.headers))

    store = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    store.create_project(Project(OTHER, "Other"))
    store.issue_key(OTHER, api_key=OTHER_KEY)
    with open_service() as service:
        monkeypatch.setattr(service, "answer", answer)
        monkeypatch.setenv("RUSTBOX_URL", service.url)
        monkeypatch.setenv("RUSTBOX_API_KEY", project_key)
        monkeypatch.setenv("RUSTBOX_ADMIN_KEY", admin_key)
        monkeypatch.chdir(tmp_path)
        yield commands


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def state(key: str, project_id: str, admin_key: str) -> dict[str, Any]:
    """What a project has, without what differs between equal projects: ids, times, tokens."""

    def get(path: str, name: str = "x-api-key", value: str = key) -> Any:
        return call(event("GET", path, headers={name: value}, query={} if path == "/api/status-page" else None)).json

    foreign = {"id", "project_id", "created_at", "updated_at", "public_key", "badge_url", "next_runs", "url_of_page"}
    endpoints = {each["id"]: each for each in get("/api/webhooks")["items"]}
    checks = [get(f"/api/checks/{each['id']}") for each in get("/api/checks")["items"]]
    for check in checks:
        check["notify"] = [endpoints[each]["description"] for each in check["notify"]]
    parts = {
        "endpoints": sorted(endpoints.values(), key=lambda each: str(each["url"])),
        "checks": sorted(checks, key=lambda each: str(each["slug"])),
    }
    whole: dict[str, Any] = {
        name: [{each: value for each, value in one.items() if each not in foreign} for one in part]
        for name, part in parts.items()
    }
    for endpoint in whole["endpoints"]:
        endpoint.pop("disabled_at")
    page = get("/api/status-page")
    of_admin = get(f"/api/projects/{project_id}", "x-admin-key", admin_key)
    return whole | {
        "secrets": [
            {name: value for name, value in each.items() if name not in {*foreign, "last_used_at"}}
            for each in get("/api/secrets")["items"]
        ],
        "quiet_times": get("/api/quiet-times"),
        "status_page": {name: page.get(name) for name in ("title", "checks", "shows_output")},
        "problems": [(each["id"], each["version"]) for each in get("/api/problems")["items"]],
        "project": {name: of_admin[name] for name in ("profiles", "quotas", "network", "files_mb")},
    }


def test_a_file_is_applied_once_and_then_nothing_is_written(rustbox: Commands, secrets: None) -> None:
    write(project())
    planned = rustbox("plan", "--project", PROJECT_ID)
    assert (planned.exit_code, rustbox.writes) == (2, []), planned.stderr
    assert [line for line in planned.stdout.splitlines() if line[0] in "+~- " and line[2] != " "] == [
        "~ update project",
        "+ create secret github",
        "+ create secret maps",
        "~ update quiet times",
        "+ create endpoint Grades",
        "+ create endpoint Chat",
        "+ create endpoint Pager",
        "+ create endpoint https://hooks.example.com/plain",
        "+ create problem sum",
        "+ create check totals",
        "+ create check after",
        "+ create check backup",
        "+ create status page",
    ]
    applied = rustbox("apply", "--project", PROJECT_ID)
    assert applied.exit_code == 0, applied.stderr
    assert applied.stdout.count("\n") == 13
    for command in ("apply", "plan"):
        again = rustbox(command, "--project", PROJECT_ID)
        assert (again.exit_code, again.stdout, rustbox.writes) == (0, "", []), again.stdout + again.stderr
        assert again.stderr.startswith("Nothing to change.\n")
    shown = planned.stdout + planned.stderr + applied.stdout + applied.stderr
    assert not [value for value in SECRETS.values() if value in shown]
    assert "whsec_" not in shown


def test_the_export_applied_to_an_empty_project_is_equal(
    rustbox: Commands, secrets: None, project_key: str, admin_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project())
    assert rustbox("apply", "--project", PROJECT_ID).exit_code == 0
    exported = rustbox("export", "copy/project.yaml", "--project", PROJECT_ID, "--json")
    assert exported.exit_code == 0, exported.stderr
    written = json.loads(exported.stdout)
    texts = "".join(Path(each).read_text() for each in written["written"])
    assert not [value for value in SECRETS.values() if value in texts]
    again = rustbox("plan", "copy/project.yaml", "--project", PROJECT_ID)
    assert (again.exit_code, again.stdout) == (0, ""), again.stdout + again.stderr
    values = dict.fromkeys(written["variables"], "some-value")
    values |= {"CHAT_URL": SECRETS["CHAT_URL"], "PAGER_ROUTING_KEY": SECRETS["PAGER_KEY"]}
    values |= {name: SECRETS["HOOK_SECRET"] for name in values if name.endswith("_SECRET")}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    # The service shows no cases, so the problems come from their folder.
    copied = yaml.safe_load(Path("copy/project.yaml").read_text())
    assert "these problems are not written: sum." in exported.stderr
    Path("problems").rename("copy/problems")
    Path("copy/project.yaml").write_text(yaml.safe_dump({**copied, "problems": "problems"}))
    rustbox.of_other_project()
    made = rustbox("apply", "copy/project.yaml", "--project", OTHER)
    assert made.exit_code == 0, made.stderr
    assert state(OTHER_KEY, OTHER, admin_key) == state(project_key, PROJECT_ID, admin_key)
    assert rustbox("plan", "copy/project.yaml", "--project", OTHER).exit_code == 0
    second = rustbox("export", "second/project.yaml", "--project", OTHER)
    assert second.exit_code == 0
    assert yaml.safe_load(Path("second/project.yaml").read_text()) == copied


def test_drift_is_shown_and_mended(rustbox: Commands, secrets: None, project_key: str) -> None:
    write(project())
    rustbox("apply", "--project", PROJECT_ID)

    def change(method: str, path: str, body: Any) -> None:
        headers = {"x-api-key": project_key, "content-type": "application/json"}
        assert call(event(method, path, headers=headers, body=json.dumps(body))).status == 200

    listed = call(event("GET", "/api/webhooks", headers={"x-api-key": project_key})).json["items"]
    ids = {each["description"]: each["id"] for each in listed}
    change("PATCH", f"/api/webhooks/{ids['Grades']}", {"events": [], "headers": {"x-team": "***"}, "enabled": False})
    change("PUT", "/api/status-page", {"title": "Changed", "checks": ["backup"]})
    drift = rustbox("plan", "--project", PROJECT_ID)
    assert drift.exit_code == 2
    assert drift.stdout.splitlines() == [
        "~ update endpoint Grades",
        "    headers: x-team → x-plain, x-team",
        '    events: [] → ["submission.completed"]',
        "~ update status page",
        '    checks: ["backup"] → ["backup", "totals"]',
        '    title: "Changed" → "Example"',
    ]
    assert rustbox("apply", "--project", PROJECT_ID).exit_code == 0
    assert rustbox.writes == [("PATCH", f"/api/webhooks/{ids['Grades']}"), ("PUT", "/api/status-page")]
    listed = call(event("GET", "/api/webhooks", headers={"x-api-key": project_key})).json["items"]
    assert [each["enabled"] for each in listed if each["description"] == "Grades"] == [False]  # people disable it


def test_all_refusals_are_shown_before_anything_is_done(
    rustbox: Commands, secrets: None, project_key: str, admin_key: str
) -> None:
    before = state(project_key, PROJECT_ID, admin_key)
    hostile = project(
        project=None,
        endpoints=[
            {"description": "Inside", "url": "https://10.0.0.1/x"},
            {"description": "Plain", "url": "http://hooks.example.com/x"},
        ],
        status_page={"title": "x", "checks": ["totals", "unknown"]},
    )
    hostile["checks"][0]["notify"] = ["Nobody"]
    write(hostile)
    Path("problems", "sum", "1.args").write_text("x")
    for command in ("plan", "apply"):
        refused = rustbox(command)
        assert (refused.exit_code, rustbox.writes) == (65, [])
        for text in (
            "check totals: notify: neither the file nor the project has an endpoint Nobody.",
            "endpoint Inside: Some fields are missing or wrong: url.",
            "endpoint Plain: Some fields are missing or wrong: url.",
            "check totals: This project may not reach api.example.com:443.",
            "status page: neither the file nor the project has the check unknown.",
        ):
            assert text in refused.stderr
    assert state(project_key, PROJECT_ID, admin_key) == before


def test_hosts_of_the_same_file_are_no_refusal(rustbox: Commands, secrets: None) -> None:
    write(project())
    assert rustbox("plan").exit_code == 77
    assert rustbox("plan", "--project", PROJECT_ID).exit_code == 2
    told = rustbox("plan").stderr
    assert "The part project is left alone: --project ID compares it.\n" in told


def test_quotas_are_shown_before_anything_is_done(rustbox: Commands, project_key: str) -> None:
    hooks = [{"description": str(number), "url": "https://hooks.example.com/x"} for number in range(50)]
    write({"endpoints": [{**hook, "ordered": int(hook["description"]) < 20} for hook in hooks[:30]]})
    assert rustbox("apply").exit_code == 0
    write(
        {"endpoints": [{**hook, "description": f"more {hook['description']}", "ordered": True} for hook in hooks[:21]]}
    )
    refused = rustbox("apply")
    assert (refused.exit_code, rustbox.writes) == (65, [])
    assert "a project has at most 50 endpoints; with those of the file it has 51." in refused.stderr
    assert "a project has at most 20 ordered endpoints; with those of the file it has 41." in refused.stderr
    write({"endpoints": [*hooks, {"description": "x", "url": "https://hooks.example.com/x"}]})
    assert "endpoints: at most 50; these are 51" in rustbox("plan").stderr


def test_the_quota_of_files_is_shown_before_anything_is_done(rustbox: Commands) -> None:
    write({"project": {"files_mb": 0}, "problems": "problems"})
    Path("problems", "sum", "3.in").write_text("x" * 50_000)
    Path("problems", "sum", "3.ans").write_text("x")
    text = "problem sum: the files need 0.0 MiB more, and the project's quota has 0.0 left."
    for whole in ("project: {files_mb: 0}\nproblems: problems", "problems: problems"):
        Path("project.yaml").write_text(whole)
        refused = rustbox("apply", "--project", PROJECT_ID)
        assert (refused.exit_code, rustbox.writes, text in refused.stderr) == (75, [], True), whole
        Path("only.yaml").write_text("project: {files_mb: 0}")
        assert rustbox("apply", "only.yaml", "--project", PROJECT_ID).exit_code == 0
        sleep(3.1)  # the service keeps a project's settings for so long


def test_prune_removes_only_what_the_parts_of_the_file_do_not_have(rustbox: Commands, secrets: None) -> None:
    write(project())
    rustbox("apply", "--project", PROJECT_ID)
    Path("problems", "sum").rename("elsewhere")
    whole = project(project=None, checks=[], quiet_times={}, status_page=None, defaults=None)
    write({"checks": [], "quiet_times": {}, "status_page": None, "endpoints": whole["endpoints"][:1]})
    kept = rustbox("plan")
    assert kept.exit_code == 0
    assert kept.stdout == (
        "  keep 1 status page, 3 checks, 3 endpoints: not in the file; --prune removes, --verbose lists\n"
    )
    listing = rustbox("plan", "--verbose").stdout
    assert listing.count("not in the file; --prune removes it") == 7
    pruned = rustbox("apply", "--prune")
    assert pruned.stdout.splitlines() == [
        "~ update quiet times",
        "- remove status page",
        "- remove check backup",
        "- remove check after",
        "- remove check totals",
        "- remove endpoint Chat",
        "- remove endpoint Pager",
        "- remove endpoint https://hooks.example.com/plain",
    ], pruned.stderr
    assert rustbox("plan", "--prune").exit_code == 0
    Path("problems", "sum").rename("gone")
    Path("project.yaml").write_text("problems: problems")
    assert rustbox("apply", "--prune").stdout == "- remove problem sum\n"


def test_send_env_sends_every_secret_again(rustbox: Commands, secrets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project())
    rustbox("apply", "--project", PROJECT_ID)
    sent = rustbox("apply", "--send-env")
    assert sent.stdout.splitlines() == [
        "~ update secret github",
        "~ update secret maps",
        "~ update endpoint Grades",
        "~ update endpoint Grades",
        "~ update endpoint Chat",
        "~ update endpoint Pager",
        "~ update check totals",
    ], sent.stderr
    monkeypatch.delenv("TEAM_TOKEN")
    missing = rustbox("apply", "--send-env")
    assert (missing.exit_code, rustbox.writes) == (78, [])
    assert missing.stderr.startswith("rustbox: endpoint Grades: headers.X-Team needs TEAM_TOKEN in the environment.")
    assert rustbox("plan").exit_code == 0  # values are not compared


def test_the_rules_of_a_secret_are_compared_and_its_value_is_sent_with_them(
    rustbox: Commands, secrets: None, monkeypatch: pytest.MonkeyPatch, project_key: str
) -> None:
    network = {"access": "listed", "allow": ["*.example.com:443"]}

    def write_secret(**changes: Any) -> None:
        one = {"value": "$SECRET_GITHUB", "host": "a.example.com", "as": "bearer", **changes}
        write({"project": {"network": network}, "secrets": {"github": one}})

    write_secret()
    assert rustbox("apply", "--project", PROJECT_ID).exit_code == 0
    monkeypatch.setenv("SECRET_GITHUB", "ghp_another_value")
    assert (rustbox("apply").stdout, rustbox.writes) == ("", []), "a value is not compared"
    write_secret(methods=["GET"], **{"as": {"header": "X-Key"}})
    planned = rustbox("plan")
    assert planned.stdout.splitlines() == [
        "~ update secret github",
        '    as: "bearer" → {"header": "X-Key"}',
        '    methods: [] → ["GET"]',
        "    value: sent again",
    ]
    monkeypatch.delenv("SECRET_GITHUB")
    missing = rustbox("apply")
    assert (missing.exit_code, rustbox.writes) == (78, [])
    assert missing.stderr.startswith("rustbox: secret github: value needs SECRET_GITHUB in the environment.")
    monkeypatch.setenv("SECRET_GITHUB", "ghp_another_value")
    for options in ((), ("--send-env",)):
        assert rustbox("apply", *options).exit_code == 0
        assert rustbox.writes == [("PUT", "/api/secrets/github")], options
    write_secret(host="elsewhere.example.net")
    Path("project.yaml").write_text(Path("project.yaml").read_text() + "quiet_times: {}\nendpoints: []\n")
    refused = rustbox("apply")
    assert (refused.exit_code, rustbox.writes) == (77, [("PUT", "/api/secrets/github")])
    assert "This project may not reach elsewhere.example.net:443." in refused.stderr
    write({"secrets": {}})
    assert rustbox("plan").stdout == "  keep 1 secret: not in the file; --prune removes, --verbose lists\n"
    assert rustbox("apply", "--prune").stdout == "- remove secret github\n"
    assert call(event("GET", "/api/secrets", headers={"x-api-key": project_key})).json["items"] == []


@pytest.mark.parametrize(
    "written",
    [
        {"github": {"value": "ghp_literal", "host": "a.example.com", "as": "bearer"}},
        {"github": {"value": "$$ghp_literal", "host": "a.example.com", "as": "bearer"}},
        {"github": {"value": ["ghp_literal"], "host": "a.example.com", "as": "bearer"}},
        {"github": "ghp_literal"},
        "ghp_literal",
        {f"s{number}": "ghp_literal" for number in range(51)},
    ],
)
def test_a_value_in_the_file_is_refused_and_not_shown(rustbox: Commands, written: Any) -> None:
    write({"secrets": written})
    for command in ("plan", "apply"):
        refused = rustbox(command)
        assert (refused.exit_code, rustbox.asked) == (65, [])
        assert "its value is $NAME, a variable of the environment: no value belongs here" in refused.stderr
        assert "ghp_literal" not in refused.stderr + refused.stdout


def test_an_interrupted_creation_of_an_endpoint_makes_no_second_one(
    rustbox: Commands, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first `apply` was killed, and its request comes after the second one has listed the endpoints."""
    write({"endpoints": [{"description": "One", "url": "https://hooks.example.com/x"}]})
    real = Commands.__call__
    calls: list[Any] = []

    def twice(api: Any, method: str, path: tuple[str, ...], **more: Any) -> Any:
        if (method, path) == ("POST", ("webhooks",)):
            calls.append(more["idempotency_key"])
            call_once(api, method, path, **more)
        return call_once(api, method, path, **more)

    call_once: Callable[..., Any] = Api.call
    monkeypatch.setattr(Api, "call", twice)
    assert real(rustbox, "apply").exit_code == 0
    listed = call(event("GET", "/api/webhooks", headers={"x-api-key": project_key})).json["items"]
    assert (len(listed), len(calls)) == (1, 1)


def test_a_removed_endpoint_can_be_created_again(rustbox: Commands) -> None:
    write({"endpoints": [{"description": "One", "url": "https://hooks.example.com/x"}]})
    empty = {"endpoints": list[Any]()}
    for _ in range(2):
        assert rustbox("apply").exit_code == 0
        write(empty, "empty.yaml")
        assert rustbox("apply", "empty.yaml", "--prune").stdout == "- remove endpoint One\n"


def test_a_removal_whose_answer_was_lost_is_repeated(rustbox: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {"endpoints": [{"url": "https://hooks.example.com/x"}], "checks": [{"slug": "nightly", "file": "a.py"}]}
    write(whole)
    assert rustbox("apply").exit_code == 0
    write({"endpoints": [], "checks": []})

    def twice(api: Any, method: str, path: tuple[str, ...], **more: Any) -> Any:
        if method == "DELETE":
            call_once(api, method, path, **more)
        return call_once(api, method, path, **more)

    call_once: Callable[..., Any] = Api.call
    monkeypatch.setattr(Api, "call", twice)
    removed = rustbox("apply", "--prune")
    assert removed.stdout == "- remove check nightly\n- remove endpoint https://hooks.example.com/x\n", removed.stderr


def test_two_endpoints_that_nothing_tells_apart_are_refused(rustbox: Commands, project_key: str) -> None:
    headers = {"x-api-key": project_key, "content-type": "application/json"}
    body = json.dumps({"url": "https://hooks.example.com/secret-path", "events": ["judge.completed"]})
    made = [call(event("POST", "/api/webhooks", headers=headers, body=body)).json["id"] for _ in range(2)]
    write({"endpoints": []})
    for arguments in (("plan",), ("export", "copy.yaml")):
        refused = rustbox(*arguments)
        assert (refused.exit_code, rustbox.writes, Path("copy.yaml").exists()) == (65, [], False)
        assert any(f"rustbox webhooks update {each} --description TEXT" in refused.stderr for each in made)
        assert "secret-path" not in refused.stderr


def test_an_export_writes_over_nothing(rustbox: Commands) -> None:
    Path("project").mkdir()
    for _ in range(2):
        refused = rustbox("export")
        assert (refused.exit_code, Path("project.yaml").exists()) == (65, False)
    assert "project is there already." in refused.stderr
    assert "copy needs an ending" in rustbox("export", "copy").stderr


def test_settings_of_creation_are_refused_with_the_way_out(rustbox: Commands) -> None:
    hook = {"description": "One", "url": "https://hooks.example.com/x"}
    write({"endpoints": [hook]})
    rustbox("apply")
    write({"endpoints": [{**hook, "payload": "thin"}]})
    refused = rustbox("plan")
    assert (refused.exit_code, "payload: Set at creation" in refused.stderr) == (65, True)


def test_a_key_that_only_reads_can_plan(rustbox: Commands, secrets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ProjectStore(rustbox.projects_table, Clients.dynamodb())
    monkeypatch.setenv("RUSTBOX_API_KEY", store.issue_key(PROJECT_ID, rights=("read",)))
    write(project(project=None))
    assert rustbox("plan").stdout.count("+ create") == 11
    write(project(project=None, quiet_times=None, checks=None, status_page=None))
    assert rustbox("plan").exit_code == 2
    refused = rustbox("apply")
    assert (refused.exit_code, refused.stdout, "lacks the right" in refused.stderr) == (77, "", True), refused.stderr


def test_a_key_without_the_right_is_refused_before_anything_is_done(
    rustbox: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"endpoints": [], "project": {"files_mb": 1}})
    monkeypatch.setenv("RUSTBOX_ADMIN_KEY", "wrong")
    refused = rustbox("apply", "--project", PROJECT_ID)
    assert (refused.exit_code, rustbox.writes) == (77, [])


@pytest.mark.parametrize(
    ("settings", "change"),
    [
        ({"url": "https://hooks.example.com/x", "headers": {"X-A": "1"}}, {"headers": {"x-a": "***", "b": "2"}}),
        ({"url": "https://hooks.example.com/x"}, {"headers": {"b": "***"}}),
        ({"url": "https://hooks.example.com/x"}, {"url": "https://10.0.0.1/"}),
        ({"url": "https://hooks.example.com/x", "ordered": True}, {"ordered": False}),
        ({"url": "https://10.0.0.1/"}, {}),
        ({"url": "https://hooks.example.com/x", "events": ["unknown"]}, {}),
        ({"url": "https://hooks.example.com/x", "format": "slack", "payload": "thin"}, {}),
        ({"url": "https://hooks.example.com/x", "format": "pagerduty"}, {}),
        ({"url": "https://hooks.example.com/x", "secret": "short"}, {}),
        ({"url": "mailto:ops@example.com", "format": "email"}, {}),
    ],
)
def test_a_validation_of_an_endpoint_answers_as_the_request_itself_and_writes_nothing(
    project_key: str, aws: Aws, settings: dict[str, Any], change: dict[str, Any]
) -> None:
    def ask(method: str, path: str, body: Any, **query: str) -> Answer:
        headers = {"x-api-key": project_key, "content-type": "application/json"}
        return call(event(method, path, headers=headers, query=query, body=json.dumps(body)))

    def both(method: str, path: str, body: Any, **query: str) -> Answer:
        before = aws.items("DeliveriesTable")
        validated = ask("POST", "/api/webhooks/validate", body, **query)
        assert aws.items("DeliveriesTable") == before
        answered = ask(method, path, body)
        assert validated.status == answered.status
        if answered.status == 200:
            shown = {name: value for name, value in validated.json.items() if name != "valid"}
            assert shown == {name: answered.json[name] for name in shown}
        else:
            assert validated.json["fields"] == answered.json["fields"]
        return answered

    made = both("POST", "/api/webhooks", settings)
    if made.status == 200 and change:
        both("PATCH", f"/api/webhooks/{made.json['id']}", change, id=made.json["id"])
