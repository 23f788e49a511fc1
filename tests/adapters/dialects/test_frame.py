"""All dialects alike: off until they are named, a key in one of several headers, errors in the protocol's own shape."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from events.vocabulary import Language
from functions.aws.clients import Clients
from functions.dialects.judge0.views import DEFAULTS
from functions.handlers import dialects
from functions.http.resolver import Route
from functions.http.rights import RIGHTS
from functions.ids import new_id
from functions.projects.store import ProjectStore
from tests.adapters.aws_account import API_KEY, PROJECT_ID, Aws
from tests.adapters.http_calls import Answer, Invocation, call, event

PATHS = {
    "jobe": "/jobe/index.php/restapi/languages",
    "judge0": "/judge0/about",
    "librechat": "/librechat/files/unknown",
    "piston": "/piston/api/v2/runtimes",
    "sandboxfusion": "/sandboxfusion/v1/ping",
}
NAMES = sorted(PATHS)
MESSAGE = {"judge0": "error", "librechat": "error", "piston": "message", "sandboxfusion": "detail"}
WITHOUT_KEY = dict.fromkeys(NAMES, 401) | {"jobe": 403}
"""The status of a request with a wrong key."""


def has_error_of(name: str, answer: Answer) -> bool:
    """Whether a body has the shape of the protocol's errors: an object with one field, or in Jobe a text."""
    return isinstance(answer.json, str) if name == "jobe" else list(answer.json) == [MESSAGE[name]]


def ask(path: str, headers: dict[str, str], method: str = "GET") -> Answer:
    return call(event(method, path, headers=headers))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("project_key")
def test_a_dialect_that_the_deployment_does_not_name_does_not_exist(aws: Aws, name: str) -> None:
    aws.monkeypatch.setenv("DIALECTS", ",".join(other for other in NAMES if other != name))
    dialects.ENV.forget()
    answer = ask(PATHS[name], {"X-API-Key": API_KEY})
    assert answer.status == 404
    assert has_error_of(name, answer)


ALL_ROUTES = [row for dialect in dialects.DIALECTS for row in dialect.served()]
ROUTES = [row for row in ALL_ROUTES if row.security is not None]


@pytest.mark.usefixtures("project_key")
def test_no_route_opens_without_a_key_but_one_that_says_that_the_service_is_there() -> None:
    assert [row.key for row in ALL_ROUTES if row.security is None] == ["GET /librechat/health"]
    for row in ROUTES:
        assert ask(re.sub(r"{\w+}", "x", row.path), {}, row.method).status in {401, 403}, row.key
    answer = ask("/librechat/health", {})
    assert (answer.status, set(answer.json)) == (200, {"status", "version"})


@pytest.mark.parametrize("route", ROUTES, ids=[row.key for row in ROUTES])
@pytest.mark.usefixtures("project_key")
def test_a_route_opens_to_its_rights_only(aws: Aws, route: Route[Any]) -> None:
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    path = route.path.replace("{id}", "71").replace("{token}", new_id())
    assert route.rights
    for right in RIGHTS:
        key = projects.issue_key(PROJECT_ID, rights=(right,))
        answer = ask(path.replace("{key}", key), {"X-API-Key": key}, route.method)
        lacks = f"This API key lacks the right {' or '.join(route.rights)}. "
        assert (lacks in answer.raw.decode()) == (right not in route.rights)
        assert answer.status == 403 or right in route.rights


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": API_KEY},
        {"Authorization": f"Bearer {API_KEY}"},
        {"authorization": f"bearer {API_KEY}", "x-api-key": API_KEY},
        {"Authorization": f"Basic {base64.b64encode(f'anyone:{API_KEY}'.encode()).decode()}"},
    ],
)
@pytest.mark.usefixtures("project_key")
def test_the_key_comes_in_any_header_of_two(name: str, headers: dict[str, str]) -> None:
    assert ask(PATHS[name], headers).status == 200


KEYED = [row for row in ROUTES if "{key}" in row.key]


@pytest.mark.parametrize("route", KEYED, ids=[row.key for row in KEYED])
@pytest.mark.usefixtures("project_key")
def test_a_key_in_the_path_is_the_key_of_the_request_and_stands_in_no_answer_and_no_log(
    aws: Aws, route: Route[Any], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    revoked = projects.issue_key(PROJECT_ID, rights=())
    for key, headers, status in (
        (API_KEY, {}, None),
        (API_KEY, {"X-API-Key": API_KEY}, None),
        (API_KEY, {"X-API-Key": "another"}, 401),
        (API_KEY + "x", {}, 401),
        ("rb_live_" + "/.." * 3, {}, 404),
        ("rb_live_<script>", {}, 401),
        (revoked, {}, 403),
    ):
        for end in ("", "/", "/nothing"):
            answer = ask(route.path.replace("{key}", key) + end, headers, route.method)
            assert answer.status not in {301, 302, 307, 308, 500}
            assert status is None or end == "/nothing" or answer.status == status
            assert status is not None or end == "/nothing" or answer.status not in {401, 403}
            said = answer.raw.decode() + str(dict(answer.headers)) + caplog.text + "".join(capfd.readouterr())
            assert "rb_live_" not in said
            assert key not in said


def test_a_key_in_a_path_stands_where_no_other_route_has_a_variable() -> None:
    prefixes = {row.path.partition("{key}")[0] for row in KEYED}
    assert prefixes == {"/sandboxfusion/", "/judge0/key/", "/judge0/extra/key/"}
    assert all(row.has_secret for row in KEYED)
    others = [re.sub(r"{\w+\+?}", "{}", row.path) for row in ROUTES if row not in KEYED]
    assert [path for path in others for prefix in prefixes if path.startswith(prefix + "{}")] == []


PAGE = "https://ide.example.com"
SENT = "content-type,x-rapidapi-key"


@pytest.fixture
def listed_origins(aws: Aws) -> None:
    aws.monkeypatch.setenv("DIALECT_ORIGINS", f"http://127.0.0.1:8080,{PAGE}")
    dialects.ENV.forget()


def preflight(path: str, origin: str, **more: str) -> Answer:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": SENT}
    return ask(path, {"Origin": origin} | asked | more, "OPTIONS")


def cors(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name == "vary" or name.startswith("access-")}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("project_key", "listed_origins")
def test_a_page_of_a_listed_origin_may_call_a_dialect(name: str) -> None:
    answer = preflight(PATHS[name], PAGE)
    assert (answer.status, answer.raw) == (204, b"")
    assert cors(answer) == {
        "vary": "Origin",
        "access-control-allow-origin": PAGE,
        "access-control-allow-headers": SENT,
        "access-control-allow-methods": "GET, POST, PUT, DELETE",
        "access-control-max-age": "600",
    }
    refused = WITHOUT_KEY[name]
    for headers, status in (({"X-API-Key": API_KEY}, 200), ({}, refused), ({"X-API-Key": "another"}, refused)):
        answer = ask(PATHS[name], {"Origin": PAGE, **headers})
        assert (answer.status, cors(answer)["access-control-allow-origin"]) == (status, PAGE)
        assert cors(answer)["vary"] == "Origin"
    assert cors(ask(f"/{name}/nothing", {"Origin": PAGE}))["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "*", "http://ide.example.com", f"{PAGE}:443", f"{PAGE}.evil.example", ""),
        *(f"{PAGE},", "http://127.0.0.1:8081", "HTTPS://IDE.EXAMPLE.COM", f"http://127.0.0.1:8080,{PAGE}"),
    ],
)
@pytest.mark.usefixtures("project_key", "listed_origins")
def test_a_page_of_another_origin_may_not(name: str, origin: str) -> None:
    refused = preflight(PATHS[name], origin)
    assert (refused.status, cors(refused)) == (404, {"vary": "Origin"})
    assert cors(ask(PATHS[name], {"Origin": origin, "X-API-Key": API_KEY})) == {"vary": "Origin"}


@pytest.mark.parametrize(
    ("listed", "is_valid"),
    [
        *[("", True), (PAGE, True), (f"{PAGE},http://127.0.0.1:8080", True)],
        *[("*", False), (f"{PAGE},", False), (f"{PAGE}/", False), ("ide.example.com", False), ("null", False)],
    ],
)
def test_the_template_takes_origins_only(aws: Aws, listed: str, is_valid: bool) -> None:  # noqa: FBT001 - of the table
    pattern = aws.template["Parameters"]["DialectOrigins"]["AllowedPattern"]
    assert (re.fullmatch(pattern, listed) is not None) == is_valid


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("project_key")
def test_without_a_list_no_page_may(name: str) -> None:
    assert (preflight(PATHS[name], PAGE).status, cors(preflight(PATHS[name], PAGE))) == (404, {})
    assert cors(ask(PATHS[name], {"Origin": PAGE, "X-API-Key": API_KEY})) == {}


@pytest.mark.usefixtures("project_key", "listed_origins")
def test_a_preflight_opens_nothing_else(aws: Aws) -> None:
    injected = preflight(PATHS["judge0"], PAGE, **{"Access-Control-Request-Headers": "a\r\nset-cookie: x"})
    assert (injected.status, "set-cookie" in str(injected.headers)) == (404, False)
    assert ask(PATHS["judge0"], {"Origin": PAGE}, "OPTIONS").status == 404
    aws.monkeypatch.setenv("DIALECTS", "piston")
    dialects.ENV.forget()
    off = preflight(PATHS["judge0"], PAGE)
    assert (off.status, cors(off)) == (404, {"vary": "Origin"})
    api = call(event("OPTIONS", "/api/languages", headers={"Origin": PAGE, "Access-Control-Request-Method": "GET"}))
    assert cors(api) == {}


@pytest.mark.parametrize(
    ("name", "header"), [("judge0", "X-Auth-Token"), ("piston", "Authorization")], ids=["judge0", "piston"]
)
@pytest.mark.usefixtures("project_key")
def test_the_key_comes_in_the_own_header_of_the_dialect(name: str, header: str) -> None:
    answer = ask(PATHS[name], {header: API_KEY})
    assert answer.status == 200
    assert "ratelimit-remaining" in {header.lower() for header in answer.headers}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": API_KEY + "x"},
        {"X-API-Key": API_KEY, "Authorization": "Bearer other"},
        {"X-API-Key": "other", "Authorization": f"Bearer {API_KEY}"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic %"},
        {"Authorization": f"Digest {API_KEY}"},
    ],
)
@pytest.mark.usefixtures("project_key")
def test_no_key_a_wrong_one_and_two_different_ones_are_refused(name: str, headers: dict[str, str]) -> None:
    answer = ask(PATHS[name], headers)
    assert answer.status == WITHOUT_KEY[name]
    assert has_error_of(name, answer)


@pytest.mark.usefixtures("project_key")
def test_the_header_of_one_dialect_is_none_of_another() -> None:
    assert ask(PATHS["piston"], {"X-Auth-Token": API_KEY}).status == 401


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("path", "method"), [("/nothing", "GET"), ("/nothing/", "GET"), ("", "PUT")])
def test_unknown_paths_have_the_errors_of_the_dialect(name: str, path: str, method: str) -> None:
    answer = ask(f"/{name}{path}", {}, method)
    assert (answer.status, "Not Found" in answer.raw.decode()) == (404, True)
    assert has_error_of(name, answer)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("project_key")
def test_a_slash_at_the_end_of_a_path_means_nothing(name: str) -> None:
    assert ask(PATHS[name] + "/", {"X-API-Key": API_KEY}).status == 200


@pytest.mark.usefixtures("project_key")
def test_the_runtimes_of_piston_are_the_languages_of_the_service() -> None:
    found = {one["language"] for one in ask(PATHS["piston"], {"X-API-Key": API_KEY}).json}
    assert found == {"c++" if language is Language.CPP else language.value for language in Language}


HUGE = 10**400
"""No float has it."""
JOBE_PROGRAM = {"language_id": "python3", "sourcecode": "1"}
TOOL_CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}


def _huge_numbers() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a path and a body for each number of each protocol."""
    for name in ("cputime", "memorylimit", "disklimit", "streamsize", "numprocs"):
        yield "/jobe/index.php/restapi/runs", {"run_spec": JOBE_PROGRAM | {"parameters": {name: HUGE}}}
    program = {"language_id": 71, "source_code": "1"}
    for name in (*DEFAULTS, "language_id", "stack_limit"):
        yield "/judge0/submissions", program | {name: HUGE}
        yield "/judge0/submissions", program | {name: str(HUGE)}
    for name in ("timeout", "args", "code"):
        yield "/librechat/exec", {"lang": "py", "code": "1", name: HUGE}
        yield "/librechat/exec/programmatic", {"lang": "py", "code": "1", name: HUGE}
    for name in ("run_timeout", "run_cpu_time", "run_memory_limit", "compile_timeout", "compile_memory_limit"):
        files = [{"content": "1"}]
        yield "/piston/api/v2/execute", {"language": "python", "version": "*", "files": files, name: HUGE}
    for name in ("run_timeout", "compile_timeout", "memory_limit_MB"):
        yield "/sandboxfusion/run_code", {"language": "python", "code": "1", name: HUGE}
    for name, arguments in (
        ("run_code", {"language": "python", "code": "1", "wait_secs": HUGE}),
        ("read_output", {"id": new_id(), "stream": "stdout", "offset": HUGE}),
        ("read_output", {"id": new_id(), "stream": "stdout", "length": HUGE}),
    ):
        yield "/mcp", {**TOOL_CALL, "params": {"name": name, "arguments": arguments}}
    yield "/mcp", {**TOOL_CALL, "id": HUGE}


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize(("path", "body"), list(_huge_numbers()), ids=lambda given: str(given)[:60])
@pytest.mark.usefixtures("project_key")
def test_no_number_is_a_fault_of_the_service(path: str, body: dict[str, Any], sign: str) -> None:
    headers = {"X-API-Key": API_KEY, "Content-Type": "application/json"}
    sent = json.dumps(body).replace(str(HUGE), sign + str(HUGE))
    answer = call(event("POST", path, headers=headers, body=sent), Invocation(lambda: 0.0))
    assert answer.status != 500, answer.raw
