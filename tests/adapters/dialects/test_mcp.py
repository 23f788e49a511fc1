"""MCP: messages of both revisions, refusals, tools and tasks. Published clients: tests/system/test_mcp.py."""

import base64
import json
from typing import Any

import pytest

from functions.clock import now_ms
from functions.handlers import dialects
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from functions.submissions.runners.store import RunnerStore
from functions.submissions.store import SubmissionStore
from tests.adapters.aws_account import API_KEY, PROJECT_ID, Aws
from tests.adapters.final_rows import write_final
from tests.adapters.http_calls import Answer, call, event
from tests.adapters.submissions.heartbeats import heartbeat
from tests.submission_factory import EXECUTION_ID, SUBMISSION_ID, completion, new_submission

OTHER_KEY = "rb_live_of_another_project"
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
TASKS: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


def post(body: str | bytes, **headers: str) -> Answer:
    sent = {"x-api-key": API_KEY, "content-type": "application/json"}
    return call(event("POST", "/mcp", headers=sent | {k.replace("_", "-"): v for k, v in headers.items()}, body=body))


def ask(method: str, params: dict[str, Any] | None = None, **headers: str) -> Answer:
    """A request of a revision with a handshake."""
    return post(json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {}}), **headers)


def ask_statelessly(
    method: str, params: dict[str, Any] | None = None, capabilities: dict[str, Any] | None = None, **headers: Any
) -> Answer:
    meta = {VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: capabilities or {}}
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {**(params or {}), "_meta": meta}}
    named = {"mcp_protocol_version": "2026-07-28", "mcp_method": method}
    for name in ("name", "uri", "taskId"):
        if params and name in params:
            named["mcp_name"] = params[name]
    return post(json.dumps(body), **(named | headers))


def call_tool(name: str, arguments: Any, **params: Any) -> Any:
    return ask("tools/call", {"name": name, "arguments": arguments, **params}).json["result"]


def read_resource(aws: Aws, content: bytes) -> Answer:
    """Read an artifact with this content."""
    submissions, size = dialects.ENV[SubmissionStore], len(content)
    key = f"outputs/{SUBMISSION_ID}/{EXECUTION_ID}/artifact-0"
    aws.client("s3").put_object(Bucket=aws.names["PayloadsBucket"], Key=key, Body=content)
    file = {"path": "a.txt", "size": size, "sha256": "0" * 64, "media_type": "text/plain", "key": key}
    submissions.create(new_submission(project_id=PROJECT_ID, ttl=now_ms() // 1000 + 3_600), None)
    write_final(submissions, SUBMISSION_ID, completion(artifacts={"stored": [file], "skipped": []}))
    return ask("resources/read", {"uri": f"rustbox://results/{SUBMISSION_ID}/artifacts/a.txt"})


def text_of(result: Any) -> str:
    return str(result["content"][0]["text"])


@pytest.mark.usefixtures("project_key")
class TestMessages:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"{", -32700),
            (b"\xff", -32700),
            (b"[" * 50_000, -32700),
            (b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}', -32700),
            (b'{"id":1,"id":2}', -32700),
            (b"[]", -32600),
            (b"7", -32600),
            (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
            (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
            (b'{"jsonrpc":"2.0","id":1}', -32600),
            (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600),
            (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
            (b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}', -32600),
            (b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}', -32600),
            (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32602),
        ],
    )
    def test_a_wrong_message_is_refused(self, body: bytes, code: int) -> None:
        answer = post(body)
        assert (answer.status, answer.json["id"], answer.json["error"]["code"]) == (400, None, code)

    def test_a_body_that_is_too_large_or_of_another_type_is_refused(self) -> None:
        assert post(b'{"a": "' + b"x" * 1_100_000 + b'"}').status == 413
        assert post(b"{}", content_type="text/plain").status == 415

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_other_methods_of_http_are_refused(self, method: str) -> None:
        answer = call(event(method, "/mcp", headers={"x-api-key": API_KEY}))
        assert (answer.status, answer.json["error"]["data"]) == (405, {"error": "method_not_allowed"})

    def test_a_notification_has_no_answer(self) -> None:
        answer = post(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}')
        assert (answer.status, answer.raw) == (202, b"")

    @pytest.mark.parametrize(
        ("origin", "status"),
        [
            ("http://localhost:3000", 200),
            ("http://127.0.0.1", 200),
            ("http://[::1]:1", 200),
            ("https://evil.example", 403),
            ("null", 403),
            ("http://localhost.evil.example", 403),
            ("http://[", 403),
            ("", 403),
        ],
    )
    def test_a_page_of_another_site_is_refused(self, origin: str, status: int) -> None:
        assert ask("ping", origin=origin).status == status

    def test_a_page_of_a_listed_origin_is_not_refused(self, aws: Aws) -> None:
        aws.monkeypatch.setenv("DIALECT_ORIGINS", "https://page.example")
        dialects.ENV.forget()
        assert [ask("ping", origin=f"https://{name}.example").status for name in ("page", "evil")] == [200, 403]

    def test_make_up_has_one_list_of_hosts_for_all_routes(self, aws: Aws) -> None:
        aws.monkeypatch.setenv("ORIGINS_ARE_CHECKED", "true")
        dialects.ENV.forget()
        assert ask("ping", origin="http://box.lan:3000").status == 200

    @pytest.mark.parametrize("version", ["2024-11-05", "2025-11-25"])
    def test_a_known_version_is_agreed_on_and_another_one_gets_the_newest(self, version: str) -> None:
        def agreed(asked: Any) -> str:
            return str(ask("initialize", {"protocolVersion": asked}).json["result"]["protocolVersion"])

        assert agreed(version) == version
        assert [agreed(asked) for asked in ("1999-01-01", None, 7)] == ["2025-11-25"] * 3

    def test_an_unknown_method_is_named(self) -> None:
        answer = ask("prompts/list")
        assert (answer.status, answer.json["error"]["code"]) == (200, -32601)
        assert ask_statelessly("ping").status == 404


@pytest.mark.usefixtures("project_key")
class TestStatelessRevision:
    def test_discovery_names_the_version_the_tasks_and_how_long_it_holds(self) -> None:
        result = ask_statelessly("server/discover").json["result"]
        assert (result["supportedVersions"], result["resultType"]) == (["2026-07-28"], "complete")
        assert (result["ttlMs"], result["cacheScope"]) == (60_000, "private")
        assert result["capabilities"]["extensions"] == {"io.modelcontextprotocol/tasks": {}}

    @pytest.mark.parametrize(
        ("headers", "code"),
        [
            ({"mcp_protocol_version": "2025-11-25"}, -32020),
            ({"mcp_protocol_version": ""}, -32020),
            ({"mcp_method": "ping"}, -32020),
            ({"mcp_method": "TOOLS/CALL"}, -32020),
            ({"mcp_name": "read_output"}, -32020),
            ({"mcp_name": "=?base64?!?="}, -32020),
        ],
    )
    def test_headers_that_say_something_else_are_refused(self, headers: dict[str, Any], code: int) -> None:
        answer = ask_statelessly("tools/call", {"name": "list_languages"}, **headers)
        assert (answer.status, answer.json["error"]["code"], answer.json["id"]) == (400, code, 7)

    def test_an_encoded_name_is_the_same_name(self) -> None:
        encoded = f"=?base64?{base64.b64encode(b'list_languages').decode()}?="
        assert ask_statelessly("tools/call", {"name": "list_languages"}, mcp_name=encoded).status == 200

    def test_an_unknown_version_is_answered_with_the_known_ones(self) -> None:
        body = {"jsonrpc": "2.0", "id": 7, "method": "server/discover"}
        meta = {VERSION_KEY: "v999", CAPABILITIES_KEY: {}}
        answer = post(
            json.dumps({**body, "params": {"_meta": meta}}), mcp_protocol_version="v999", mcp_method="server/discover"
        )
        assert answer.json["error"]["data"] == {"supported": ["2026-07-28"], "requested": "v999"}

    def test_tasks_need_the_extension(self) -> None:
        answer = ask_statelessly("tasks/get", {"taskId": "x"})
        assert (answer.status, answer.json["error"]["code"]) == (400, -32021)


@pytest.mark.usefixtures("project_key")
class TestTools:
    def test_the_list_is_always_the_same_and_says_what_the_sandbox_has(self) -> None:
        first, second = (ask("tools/list").json["result"]["tools"] for _ in range(2))
        assert first == second
        says = first[0]["description"]
        assert "There is no network." in says
        assert "15 s of CPU time, 30 s in all, 1,024 MiB of memory" in says
        assert "python" in first[0]["inputSchema"]["properties"]["language"]["enum"]

    def test_the_description_names_the_packages_that_the_runners_have(self, aws: Aws) -> None:
        packages = {"numpy": "2.5.5", "pandas": "3.0.1"}
        store = RunnerStore(aws.names["RunnersTable"], aws.client("dynamodb"))
        store.put_heartbeat(heartbeat(sent_ms=now_ms()).changed(packages=packages))
        says = ask("tools/list").json["result"]["tools"][0]["description"]
        assert "numpy, pandas." in says

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"language": "cobol", "code": "x"}, "This language is not supported"),
            ({"language": "python"}, "code: This field is required."),
            ({"language": "python", "code": 7}, "code: Must be a string."),
            ({"language": "python", "code": "x", "cod": "y"}, "cod: There is no such field. Did you mean code?"),
            ({"language": "python", "code": "x", "wait_secs": 26}, "wait_secs: Must be at most 25."),
            (
                {"language": "python", "code": "x", "files": [{"path": "../a", "content": ""}]},
                "files[0].path: A path is relative",
            ),
            ({"language": "python", "code": "x", "network": ["example.com"]}, "may not reach example.com"),
            ({"language": "python", "code": "x" * 70_000}, "code is too large"),
            ({"language": "python", "code": "x", "artifacts": ["/etc/passwd"]}, "artifacts[0]"),
        ],
    )
    def test_a_wrong_argument_is_a_result_that_names_it(self, arguments: dict[str, Any], said: str) -> None:
        result = call_tool("run_code", arguments)
        assert result["isError"] is True
        assert said in text_of(result)

    @pytest.mark.parametrize(
        "file",
        [{"content": "x" * 262_145}, {"content": "x" * 300_000, "path": "../a"}, {"sha256": "0" * 64}],
        ids=["too large", "too large and wrong", "not stored"],
    )
    def test_no_answer_names_a_route_that_no_tool_offers(self, file: dict[str, Any]) -> None:
        result = call_tool("run_code", {"language": "python", "code": "x", "files": [{"path": "a", **file}]})
        assert result["isError"] is True
        assert "/api/" not in text_of(result)
        assert "pass its sha256 from that run's artifacts" in text_of(result)
        assert "/api/" not in json.dumps(ask("tools/list").json)

    @pytest.mark.parametrize(("name", "arguments"), [("rm", {}), ("run_code", []), ("run_code", "x"), (7, {})])
    def test_an_unknown_tool_and_arguments_of_another_type_are_errors_of_the_protocol(
        self, name: Any, arguments: Any
    ) -> None:
        answer = ask("tools/call", {"name": name, "arguments": arguments or None if name == 7 else arguments})
        if name == "run_code" and not arguments:
            assert answer.json["result"]["isError"] is True  # an empty list stands for no arguments
        else:
            assert answer.json["error"]["code"] == -32602

    @pytest.mark.parametrize("tool", ["read_output", "read_artifact", "cancel_run"])
    @pytest.mark.parametrize("run_id", ["x", "00000000-0000-4000-8000-000000000000", "../../etc"])
    def test_an_unknown_run_is_a_result_that_says_so(self, tool: str, run_id: str) -> None:
        result = call_tool(tool, {"id": run_id, **({"path": "a"} if tool == "read_artifact" else {})})
        assert result["isError"] is True


@pytest.mark.usefixtures("project_key")
class TestRuns:
    @pytest.fixture
    def pending_id(self, aws: Aws, project_key: str) -> str:
        """No runner takes this run."""
        assert project_key == API_KEY
        aws.monkeypatch.setenv("LONGEST_WAIT_SECS", "0")
        dialects.ENV.forget()
        result = call_tool("run_code", {"language": "python", "code": "print(1)", "wait_secs": 0})
        assert result["structuredContent"]["status"] == "pending"
        return str(result["structuredContent"]["id"])

    def test_a_run_that_goes_on_is_read_and_cancelled(self, pending_id: str) -> None:
        assert "has not ended yet" in text_of(call_tool("read_output", {"id": pending_id}))
        read = text_of(call_tool("read_artifact", {"id": pending_id, "path": "a.txt"}))
        assert read.startswith("The run has not ended yet.")
        assert text_of(call_tool("cancel_run", {"id": pending_id})).startswith("The run was cancelled.")
        assert call_tool("read_output", {"id": pending_id})["structuredContent"]["cause"] == "cancelled_before_start"

    def test_a_run_of_another_project_does_not_exist(self, pending_id: str) -> None:
        projects = dialects.ENV[ProjectStore]
        projects.create_project(Project("other", "another"))
        other = projects.issue_key("other", api_key=OTHER_KEY)
        body = {"name": "read_output", "arguments": {"id": pending_id}}
        answer = ask("tools/call", body, x_api_key=other)
        assert answer.json["result"] == {
            "content": [{"type": "text", "text": "There is no such submission."}],
            "isError": True,
        }
        task = ask_statelessly("tasks/get", {"taskId": pending_id}, TASKS, x_api_key=other)
        assert task.json["error"]["code"] == -32602

    @pytest.mark.usefixtures("pending_id")
    def test_a_client_asks_for_a_task_follows_it_and_reads_its_result(self) -> None:
        task = call_tool("run_code", {"language": "python", "code": "print(2)"}, task={"ttl": 60_000})["task"]
        assert (task["status"], task["pollInterval"]) == ("working", 1_000)
        assert ask("tasks/get", {"taskId": task["taskId"]}).json["result"] == task
        assert (
            ask("tasks/result", {"taskId": task["taskId"]}).json["error"]["message"]
            == "The run has not ended yet. Ask again."
        )
        assert ask("tasks/cancel", {"taskId": task["taskId"]}).json["result"]["status"] == "cancelled"
        result = ask("tasks/result", {"taskId": task["taskId"]}).json["result"]
        assert result["_meta"] == {"io.modelcontextprotocol/related-task": {"taskId": task["taskId"]}}

    @pytest.mark.usefixtures("pending_id")
    def test_a_long_run_becomes_a_task_of_a_client_that_knows_the_extension(self) -> None:
        called = {"name": "run_code", "arguments": {"language": "python", "code": "print(2)", "wait_secs": 0}}
        task = ask_statelessly("tools/call", called, TASKS).json["result"]
        assert (task["resultType"], task["status"]) == ("task", "working")
        asked = {"taskId": task["taskId"]}
        ack = ask_statelessly("tasks/cancel", asked, TASKS).json["result"]
        assert {name for name in ack if name != "_meta"} == {"resultType"}
        assert ask_statelessly("tasks/update", {**asked, "inputResponses": {}}, TASKS).status == 200
        ended = ask_statelessly("tasks/get", asked, TASKS).json["result"]
        assert (ended["status"], "result" in ended) == ("cancelled", False)

    def test_a_parameter_with_half_a_character_is_refused(self) -> None:
        for method, name in (("resources/read", "uri"), ("tools/call", "name"), ("tasks/get", "taskId")):
            assert ask(method, {name: "\ud800"}).json["error"]["code"] == -32602

    def test_a_resource_that_does_not_exist_is_named(self, pending_id: str) -> None:
        for uri in ("file:///etc/passwd", f"rustbox://results/{pending_id}/artifacts/..%2Fa"):
            error = ask("resources/read", {"uri": uri}).json["error"]
            assert (error["code"], error["data"]) == (-32002, {"uri": uri})
            assert ask_statelessly("resources/read", {"uri": uri}).json["error"]["code"] == -32602

    @pytest.mark.parametrize("letter", [b'"', b"\n", b"\x01"])
    def test_a_text_that_escapes_make_too_large_for_an_answer_is_a_blob(self, aws: Aws, letter: bytes) -> None:
        content = letter * 2_097_152
        answer = read_resource(aws, content)
        assert base64.b64decode(answer.json["result"]["contents"][0]["blob"]) == content
        assert len(json.dumps(answer.raw.decode())) < 6_000_000  # a response of Lambda has at most 6 MB

    @pytest.mark.parametrize(("size", "is_whole"), [(2_097_152, True), (2_097_153, False)])
    def test_a_resource_that_is_too_large_is_refused_not_cut(self, aws: Aws, *, size: int, is_whole: bool) -> None:
        answer = read_resource(aws, b"a" * size).json
        if is_whole:
            assert len(answer["result"]["contents"][0]["text"]) == size
        else:
            assert f"has {size:,} bytes" in answer["error"]["message"]
            assert "/api/" not in answer["error"]["message"]
