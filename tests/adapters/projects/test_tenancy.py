"""Every route that needs a project's key, with every kind of key: the answer of each is asserted.

The table is held against ROUTES: a new route without a row here fails. Routes of the administrator have a table of
their own (test_admin_tenancy).
"""

import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from functions.aws.clients import Clients
from functions.aws.payloads import Payloads
from functions.clock import now_ms, to_rfc3339
from functions.handlers import api_document
from functions.http.rights import RIGHTS
from functions.ids import new_id
from functions.projects.model import NetworkAccess, Project, ProjectNetwork
from functions.projects.store import ProjectStore
from functions.submissions.store import SubmissionStore
from functions.webhooks.vocabulary import Reply
from tests.adapters.aws_account import API_KEY, PROJECT_ID, Aws
from tests.adapters.delivery_factory import name_of, put_attempt, put_delivery
from tests.adapters.engine_account import copied_account
from tests.adapters.files.file_factory import some, stored
from tests.adapters.final_rows import write_final
from tests.adapters.http_calls import Answer, call, event, send
from tests.api_routes import ROUTES
from tests.choice import IS_QUICK
from tests.judge_factory import completed, judge_row, judged_runs, plan_for
from tests.submission_factory import GENEROUS, SUBMISSION_ID, completion, golden, new_submission

OPEN = {
    *("/api/languages", "/api/health", "/api/health/ready", "/api/openapi.json", "/docs"),
    *("/", "/console/{version}/{name}"),
    *("/api/egress-addresses", "/api/webhooks/recipients/{token}"),
    *("/api/pings/{token}", "/api/pings/{token}/{word}", "/api/pings/{token}/{slug}/{last}", "/status/{token}"),
    "/api/files/{sha256}/content",
    *("/openapi.json", "/llms.txt", "/favicon.ico"),
    *("/api/badges/{name}", "/api/badges/{token}/shields", "/api/checks/{id}/events", "/api/schemas/checks.json"),
}
"""Nobody's: they tell nothing of a project. For tokens (badges, pings, pages) and signatures: adapters/checks."""
ADMIN = ("/api/projects", "/api/admin/")
URL = "https://hooks.example.com/"
SECRET = {"value": "a-value-of-tests", "host": "api.example.com", "as": "bearer"}
OTHER_ID = "other-project"


@dataclass(frozen=True)
class World:
    """Keys by kind, and ids of what the right project owns."""

    keys: dict[str, str | None]
    result: str
    webhook: str
    delivery: str
    check: str
    call: str
    heartbeat: str
    event: str
    judge_run: str
    file: str
    consumer: str = "mine"
    problem: str = "mine"
    secret: str = "mine"


@dataclass(frozen=True)
class Row:
    """A request that is right, and its answers. `of`: whose id or name the path has; None: it has none."""

    right: int
    of: str | None = None
    body: Callable[[], Any] = lambda: None
    query: Mapping[str, str] | None = None


ROWS: dict[tuple[str, str], Row] = {
    ("POST", "/api/submit"): Row(202, body=lambda: {"language": "python", "code": "print(42)"}),
    ("POST", "/api/judge"): Row(408, body=lambda: {"language": "python", "code": "print(42)", "cases": [{}]}),
    ("GET", "/api/judge/{id}"): Row(200, "judge_run"),
    ("DELETE", "/api/judge/{id}"): Row(200, "judge_run"),
    ("GET", "/api/judge/{id}/cases/{index}/stdout"): Row(200, "judge_run"),
    ("POST", "/api/problems"): Row(200, body=lambda: {"id": "another", "cases": [{}]}),
    ("POST", "/api/problems/validate"): Row(200, body=lambda: {"id": "another", "cases": [{}]}),
    ("GET", "/api/problems"): Row(200),
    ("GET", "/api/problems/{name}"): Row(200, "problem"),
    ("DELETE", "/api/problems/{name}"): Row(200, "problem"),
    ("GET", "/api/key"): Row(200),
    ("GET", "/api/results"): Row(200),
    ("GET", "/api/overview"): Row(200),
    ("GET", "/api/result/{id}"): Row(200, "result"),
    ("GET", "/api/result/{id}/output"): Row(200, "result", query={"stream": "stdout"}),
    ("GET", "/api/result/{id}/stdout"): Row(200, "result"),
    ("GET", "/api/result/{id}/stderr"): Row(200, "result"),
    ("GET", "/api/result/{id}/artifacts/{path}"): Row(200, "result"),
    ("GET", "/api/result/{id}/program"): Row(200, "result"),
    ("DELETE", "/api/result/{id}"): Row(200, "result"),
    ("POST", "/api/result/{id}/cancel"): Row(200, "result"),
    ("POST", "/api/judge/{id}/cancel"): Row(200, "judge_run"),
    ("GET", "/api/checks"): Row(200),
    ("POST", "/api/checks"): Row(200, body=lambda: {"name": "mine", "language": "python", "code": "print(42)"}),
    ("POST", "/api/checks/validate"): Row(
        200, body=lambda: {"name": "mine", "language": "python", "code": "print(42)"}
    ),
    ("POST", "/api/checks/assertions/try"): Row(200, body=lambda: {"assertions": [], "outcome": {}}),
    ("GET", "/api/checks/{id}"): Row(200, "check"),
    ("PATCH", "/api/checks/{id}"): Row(200, "check", lambda: {"name": "renamed"}),
    ("DELETE", "/api/checks/{id}"): Row(200, "check"),
    ("POST", "/api/checks/{id}/run"): Row(202, "check"),
    ("POST", "/api/checks/{id}/pause"): Row(200, "check"),
    ("POST", "/api/checks/{id}/resume"): Row(200, "check"),
    ("GET", "/api/checks/{id}/runs"): Row(200, "check"),
    ("GET", "/api/checks/{id}/groups"): Row(200, "check"),
    ("GET", "/api/checks/{id}/outages"): Row(200, "check"),
    ("POST", "/api/checks/{id}/secret"): Row(200, "check"),
    ("POST", "/api/checks/{id}/ping-url"): Row(200, "heartbeat"),
    ("GET", "/api/checks/{id}/pings/{number}"): Row(200, "heartbeat"),
    ("GET", "/api/schedules"): Row(200, query={"schedule": "rate(1 day)"}),
    ("GET", "/api/quiet-times"): Row(200),
    ("PUT", "/api/quiet-times"): Row(200, body=lambda: {"tags": {}}),
    ("GET", "/api/status-page"): Row(200),
    ("PUT", "/api/status-page"): Row(200, body=lambda: {"title": "Mine", "checks": ["first"]}),
    ("DELETE", "/api/status-page"): Row(200),
    ("GET", "/api/checks/{id}/calls"): Row(200, "check"),
    ("POST", "/api/checks/{id}/calls/{call}/run"): Row(202, "check"),
    ("GET", "/api/webhooks"): Row(200),
    ("POST", "/api/webhooks"): Row(200, body=lambda: {"url": URL}),
    ("POST", "/api/webhooks/validate"): Row(200, body=lambda: {"url": URL}),
    ("GET", "/api/webhooks/{id}"): Row(200, "webhook"),
    ("PATCH", "/api/webhooks/{id}"): Row(200, "webhook", lambda: {"enabled": False}),
    ("DELETE", "/api/webhooks/{id}"): Row(200, "webhook"),
    ("POST", "/api/webhooks/{id}/rotate"): Row(200, "webhook"),
    ("POST", "/api/webhooks/{id}/test"): Row(200, "webhook"),
    ("GET", "/api/webhooks/transform/templates"): Row(200),
    ("POST", "/api/webhooks/{id}/transform/test"): Row(409, "webhook", dict),
    ("POST", "/api/webhooks/{id}/recover"): Row(200, "webhook", lambda: {"since": to_rfc3339(now_ms() - 60_000)}),
    ("GET", "/api/events"): Row(200),
    ("GET", "/api/events/poll"): Row(200, query={"consumer": "another"}),
    ("GET", "/api/events/{id}"): Row(200, "event"),
    ("GET", "/api/event-types"): Row(200),
    ("GET", "/api/event-consumers"): Row(200),
    ("DELETE", "/api/event-consumers/{name}"): Row(200, "consumer"),
    ("POST", "/api/event-samples"): Row(200, body=lambda: {"type": "submission.completed"}),
    ("GET", "/api/deliveries"): Row(200),
    ("POST", "/api/files"): Row(200, body=lambda: {"sha256": "0" * 64, "size": 3}),
    ("GET", "/api/files"): Row(200),
    ("GET", "/api/files/{sha256}"): Row(200, "file"),
    ("HEAD", "/api/files/{sha256}"): Row(200, "file"),
    ("DELETE", "/api/files/{sha256}"): Row(200, "file"),
    ("GET", "/api/deliveries/{id}"): Row(200, "delivery"),
    ("POST", "/api/deliveries/{id}/replay"): Row(202, "delivery"),
    ("GET", "/api/secrets"): Row(200),
    ("PUT", "/api/secrets/{name}"): Row(200, "secret", lambda: SECRET),
    ("GET", "/api/secrets/{name}"): Row(200, "secret"),
    ("DELETE", "/api/secrets/{name}"): Row(200, "secret"),
}
KEYED = [
    (method, path)
    for path, methods in ROUTES.items()
    for method in methods
    if path not in OPEN and not path.startswith(ADMIN)
]
WITH_ID = [operation for operation in KEYED if "{" in operation[1] and operation[0] != "PUT"]
"""Without those that make the thing of this name."""
WITHOUT_ID = [operation for operation in KEYED if "{" not in operation[1]]
LISTS = [
    (method, path)
    for method, path in WITHOUT_ID
    if method == "GET"
    and path not in {"/api/events/poll", "/api/event-types", "/api/quiet-times", "/api/schedules", "/api/status-page"}
    and path not in {"/api/key", "/api/overview", "/api/webhooks/transform/templates"}
]
"""A poll has an answer of its own, types and templates are those of every project, and the others are single things."""
RIGHTS_OF = {
    (route.method, route.path.replace("+}", "}")): route.rights
    for route in api_document.ROUTES
    if route.security == "ApiKey"
}
CLOSED = ("no key", "empty key", "wrong key", "half a key", "revoked key", "expired key", "key of a disabled project")


@pytest.fixture(scope="module")
def filled(
    prepared_account: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, World]:
    """Fill an account for all tests, each of which has a copy."""
    folder = tmp_path_factory.mktemp("filled") / "account"
    with pytest.MonkeyPatch.context() as patch, copied_account(prepared_account, folder, patch) as aws:
        patch.setenv("LONGEST_WAIT_SECS", "0")
        return folder, fill(aws)


@pytest.fixture
def aws(
    monkeypatch: pytest.MonkeyPatch,
    prepared_account: tuple[Path, dict[str, str]],
    filled: tuple[Path, World],
    memory_folder: Path,
) -> Iterator[Aws]:
    folder = memory_folder / "account"
    with copied_account((filled[0], prepared_account[1]), folder, monkeypatch) as account:
        yield account
    shutil.rmtree(folder)


@pytest.fixture
def world(aws: Aws, filled: tuple[Path, World]) -> World:
    """Give the world of the account, whose keys a test may add to."""
    return replace(filled[1], keys=dict(filled[1].keys))


def fill(aws: Aws) -> World:
    dynamodb, now = Clients.dynamodb(), now_ms()
    projects = ProjectStore(aws.names["ProjectsTable"], dynamodb)
    for project_id in (OTHER_ID, "disabled-project"):
        projects.create_project(Project(project_id, project_id))
    network = ProjectNetwork(NetworkAccess.PUBLIC)
    projects.create_project(Project(PROJECT_ID, "Tests", quotas=GENEROUS, network=network))
    project_key = projects.issue_key(PROJECT_ID, api_key=API_KEY)
    keys: dict[str, str | None] = {
        "no key": None,
        "empty key": "",
        "wrong key": "rb_live_" + "x" * 43,
        "half a key": project_key[:-1],
        "revoked key": projects.issue_key(PROJECT_ID),
        "expired key": projects.issue_key(PROJECT_ID, expires_at=to_rfc3339(now)),
        "key of a disabled project": projects.issue_key("disabled-project"),
        "other project's key": projects.issue_key(OTHER_ID),
        "right key": project_key,
    }
    for item in aws.items("ProjectsTable"):
        is_revoked = item.get("prefix", {}).get("S") == (keys["revoked key"] or "")[:12]
        name = "revoked_at" if is_revoked else "disabled_at" if item["pk"]["S"] == "PROJECT#disabled-project" else None
        if name:
            item[name] = {"S": to_rfc3339(now)}
            dynamodb.put_item(TableName=aws.names["ProjectsTable"], Item=item)
    store = SubmissionStore(aws.names["SubmissionsTable"], dynamodb)
    program = Payloads(aws.names["PayloadsBucket"], Clients.s3).put_program(SUBMISSION_ID, "{}")
    kept = {"created_at": to_rfc3339(now), "ttl": now // 1_000 + 3_600, "program_key": program}
    store.create(new_submission(project_id=PROJECT_ID, **kept), None)
    artifact = golden("execution_completed/v1.artifacts")["artifacts"][0]
    write_final(store, SUBMISSION_ID, completion(artifacts={"stored": [artifact], "skipped": []}))
    webhook = send(project_key, "POST", "/api/webhooks", {"url": URL}).json["id"]
    delivery = put_delivery(aws, endpoint_id=webhook, submission_id=SUBMISSION_ID)
    body = {**ROWS["POST", "/api/checks"].body(), "slug": "first"}
    check = send(project_key, "POST", "/api/checks", body).json["id"]
    secret = send(project_key, "POST", f"/api/checks/{check}/secret", {"verify": "gitlab"}).json["secret"]
    sent = event("POST", f"/api/checks/{check}/events", headers={"x-gitlab-token": secret}, body="{}")
    assert call(sent).status == 202
    (recorded,) = send(project_key, "GET", f"/api/checks/{check}/calls").json["items"]
    heartbeat = send(
        project_key, "POST", "/api/checks", {"kind": "heartbeat", "name": "job", "schedule": "rate(1 day)"}
    ).json["id"]
    ping_url = send(project_key, "POST", f"/api/checks/{heartbeat}/ping-url").json["url"]
    assert send(None, "POST", ping_url, "body").raw == b"OK"
    aws.messages("ChecksQueue")  # the hint of the ping
    assert send(project_key, "PUT", "/api/status-page", ROWS["PUT", "/api/status-page"].body()).status == 200
    for key in ("right key", "other project's key"):
        poll = {"consumer": "mine" if key == "right key" else "theirs"}
        assert send(keys[key], "GET", "/api/events/poll", query=poll).status == 200
    assert send(project_key, "PUT", "/api/secrets/mine", SECRET).status == 200
    judge_run = put_judge_run(store, now)
    file = stored(aws, PROJECT_ID, some()).sha256
    assert send(project_key, "POST", "/api/problems", {"id": "mine", "cases": [{}]}).status == 200
    ids = (SUBMISSION_ID, webhook, name_of(delivery), check, recorded["id"], heartbeat, SUBMISSION_ID, judge_run, file)
    return World(keys, *ids)


def put_judge_run(store: SubmissionStore, now: int) -> str:
    """Put a final judge run of the right project; return its id."""
    message, the_id = completed("passed"), new_id()
    times = {"created_at": to_rfc3339(now), "ttl": now // 1_000 + 3_600}
    row = judge_row(plan_for(message), submission_id=the_id, project_id=PROJECT_ID, **times)
    store.create(row, None)
    write_final(store, the_id, judged_runs().completion(message, row))
    return the_id


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch, aws: Aws) -> None:
    """A judge run waits by default."""
    monkeypatch.setenv("LONGEST_WAIT_SECS", "0")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test send must not leave this machine."""
    monkeypatch.setattr("functions.webhooks.egress.socket.getaddrinfo", lambda *_, **__: [])


def ask(world: World, key: str, operation: tuple[str, str], the_id: str | None = None) -> Answer:
    method, path = operation
    row = ROWS[operation]
    own = getattr(world, row.of) if row.of else ""
    path = path.replace("{call}", world.call)
    return send(world.keys[key], method, at(path, the_id or own), row.body(), query=row.query)


def at(path: str, the_id: str) -> str:
    """Fill in the parameters of a path."""
    path = path.replace("{sha256}", the_id).replace("{path}", "report.csv")
    path = path.replace("{id}", the_id).replace("{name}", the_id)
    return path.replace("{index}", "0").replace("{number}", "1").replace("{call}", "x")


def everything(aws: Aws) -> list[Any]:
    tables = ("SubmissionsTable", "DeliveriesTable", "ChecksTable")
    return [*map(aws.items, tables), aws.messages("DeliveriesQueue"), aws.messages("ChecksQueue")]


def test_the_table_has_every_keyed_route() -> None:
    assert sorted(ROWS) == sorted(KEYED)
    assert [("{" in path) == (row.of is not None) for (_, path), row in ROWS.items()].count(False) == 0


@pytest.mark.parametrize("operation", KEYED, ids=" ".join)
def test_only_a_valid_key_opens_it_and_without_one_nothing_is_revealed_or_changed(
    aws: Aws, world: World, operation: tuple[str, str]
) -> None:
    before = everything(aws)
    answers = [ask(world, key, operation) for key in CLOSED]
    # Not even whether the id is well formed, or the body: the answer depends on the key alone.
    assert [ask(world, key, operation, "x").raw for key in CLOSED] == [answer.raw for answer in answers]
    answers.append(send(None, operation[0], at(operation[1], "x"), b"{", content_type="text/plain"))
    assert [answer.status for answer in answers] == [401] * len(answers)
    assert {answer.json["error"] for answer in answers} == {"unauthorized"}
    assert everything(aws) == before
    assert ask(world, "right key", operation).status == ROWS[operation].right


def test_every_keyed_route_names_its_rights_and_every_right_opens_one() -> None:
    assert sorted(RIGHTS_OF) == sorted(KEYED)
    assert () not in RIGHTS_OF.values()
    only = {rights[0] for rights in RIGHTS_OF.values() if len(rights) == 1}
    assert only == set(RIGHTS)


@pytest.mark.parametrize("operation", KEYED, ids=" ".join)
def test_a_route_opens_to_its_rights_and_tells_any_other_key_which_is_missing(
    aws: Aws, world: World, operation: tuple[str, str]
) -> None:
    named, keys = RIGHTS_OF[operation], keys_of_rights(aws)
    before = everything(aws)
    others = [right for right in RIGHTS if right not in named]
    if IS_QUICK:  # two of them, others for the next route
        first = KEYED.index(operation) % max(len(others), 1)
        others = [*others, *others][first : first + 2]
    for right in others:
        world.keys[right] = keys[right]
        answers = [ask(world, right, operation), ask(world, right, operation, "x")]
        # Before the path and the body are read, so that such a key learns nothing by them.
        answers.append(send(keys[right], operation[0], at(operation[1], "x"), b"{", content_type="text/plain"))
        assert [answer.status for answer in answers] == [403] * 3
        assert {answer.json["error"] for answer in answers} == {"forbidden"}
        lacks = f"This API key lacks the right {' or '.join(named)}. "
        assert all(answer.json["message"].startswith(lacks) for answer in answers)
    assert everything(aws) == before
    for right in named if operation[0] in {"GET", "HEAD"} else named[:1]:
        world.keys[right] = keys[right]
        assert ask(world, right, operation).status == ROWS[operation].right


def keys_of_rights(aws: Aws) -> dict[str, str]:
    """Issue a key for each right, with that alone."""
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    return {right: projects.issue_key(PROJECT_ID, rights=(right,)) for right in RIGHTS}


@pytest.mark.parametrize("operation", WITH_ID, ids=" ".join)
def test_another_projects_id_is_as_unknown_as_one_that_never_was(
    aws: Aws, world: World, operation: tuple[str, str]
) -> None:
    before = everything(aws)
    foreign = ask(world, "other project's key", operation)
    never = {"delivery": f"{new_id()}.{new_id()}", "file": "0" * 64}.get(ROWS[operation].of or "", new_id())
    unknown = ask(world, "other project's key", operation, never)
    assert (foreign.status, foreign.json["error"]) == (404, "not_found")
    # The seconds to the next window may pass from one number to the next between the two.
    foreign_headers, unknown_headers = (
        {name: text for name, text in answer.headers.items() if name != "ratelimit-reset"}
        for answer in (foreign, unknown)
    )
    assert foreign_headers == unknown_headers
    assert (foreign.status, foreign.raw) == (unknown.status, unknown.raw)
    assert everything(aws) == before


@pytest.mark.parametrize("operation", LISTS, ids=" ".join)
@pytest.mark.parametrize("query", [{}, {"submission_id": SUBMISSION_ID}, {"endpoint_id": "WEBHOOK"}])
def test_another_projects_lists_are_empty(world: World, operation: tuple[str, str], query: dict[str, str]) -> None:
    asked = {name: world.webhook if value == "WEBHOOK" else value for name, value in query.items()}
    answer = send(world.keys["other project's key"], operation[0], operation[1], query=asked)
    assert answer.status == 200
    assert [item for item in answer.json["items"] if item.get("name") != "theirs"] == []
    assert answer.json["next_cursor"] is None


def test_another_projects_poll_gets_nothing(world: World) -> None:
    for start in ("earliest", "latest"):
        query = {"consumer": f"new-{start}", "from": start, "include": "replays,tests"}
        answer = send(world.keys["other project's key"], "GET", "/api/events/poll", query=query)
        assert (answer.status, answer.json["items"]) == (200, [])


def test_another_projects_status_page_and_quiet_times_are_not_there(world: World) -> None:
    key = world.keys["other project's key"]
    assert send(world.keys["right key"], "PUT", "/api/quiet-times", {"tags": {"a": []}}).status == 200
    assert send(key, "GET", "/api/quiet-times").json == {"tags": {}}
    answers = [
        send(key, method, "/api/status-page", body)
        for method, body in (("GET", None), ("DELETE", None), ("PUT", {"title": "Theirs", "checks": ["first"]}))
    ]
    assert [answer.status for answer in answers] == [404, 404, 422]


@pytest.mark.parametrize("operation", [one for one in WITHOUT_ID if one[0] == "POST"], ids=" ".join)
def test_a_project_cannot_reach_the_objects_of_another(aws: Aws, world: World, operation: tuple[str, str]) -> None:
    def mine() -> list[Any]:
        return [
            send(world.keys["right key"], "GET", path).json
            for path in ("/api/results", "/api/webhooks", "/api/deliveries", "/api/checks", "/api/events")
        ]

    before = mine()
    assert ask(world, "other project's key", operation).status == ROWS[operation].right
    assert mine() == before


@pytest.mark.parametrize("path", ["/api/results", "/api/checks", "/api/deliveries", "/api/files", "/api/events"])
def test_the_key_may_be_a_bearer_token_unless_there_is_another_header_for_it(world: World, path: str) -> None:
    keys = {name: key or "" for name, key in world.keys.items()}
    password = "Basic " + b64encode(f"x:{keys['right key']}".encode()).decode()
    for headers, status in (
        ({"Authorization": f"Bearer {keys['right key']}"}, 200),
        ({"Authorization": f"bearer  {keys['right key']}"}, 200),
        ({"Authorization": "Bearer of a proxy", "X-API-Key": keys["right key"]}, 200),
        ({"Authorization": f"Bearer {keys['right key']}", "X-API-Key": keys["revoked key"]}, 401),
        ({"Authorization": f"Bearer {keys['revoked key']}"}, 401),
        ({"Authorization": f"Bearer {keys['right key']} x"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": keys["right key"]}, 401),
        ({"Authorization": password}, 401),  # a browser that has stored one would send it for other sites
    ):
        assert call(event("GET", path, headers=headers)).status == status, headers


def test_another_projects_attempts_are_not_read_for_a_stranger(aws: Aws, world: World) -> None:
    """A foreign id costs the same reads as an unknown one: time tells nothing."""
    delivery = put_delivery(aws)
    put_attempt(aws, delivery, Reply(1, 200))
    client, calls = aws.client("dynamodb"), list[str]()

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    client.meta.events.register("before-call", note)
    costs = []
    try:
        for the_id in (name_of(delivery), f"{new_id()}.run"):
            calls.clear()
            assert send(world.keys["other project's key"], "GET", f"/api/deliveries/{the_id}").status == 404
            costs.append(list(calls))
    finally:
        client.meta.events.unregister("before-call", note)
    assert costs[0][-1] == costs[1][-1] == "GetItem"
    assert costs[0].count("Query") == costs[1].count("Query") == 0


@pytest.mark.parametrize("path", sorted(OPEN))
def test_open_paths_answer_every_caller_the_same(world: World, path: str) -> None:
    answers = [send(key, "GET", path) for key in world.keys.values()]
    assert len({(answer.status, answer.raw) for answer in answers}) == 1
    assert PROJECT_ID not in answers[0].raw.decode()
