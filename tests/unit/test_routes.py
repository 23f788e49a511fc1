"""The template, the functions and the OpenAPI document have the same routes."""

import gc
import importlib
import io
import json
import re
import threading
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response

from functions.console.api import ICON_ROUTES
from functions.errors import ConflictError
from functions.handlers.api_document import ROUTES as DOCUMENTED_ROUTES
from functions.handlers.dialects import DIALECTS
from functions.http.answers import answer
from functions.http.resolver import Resolver, Resolvers, Route
from functions.projects.store import new_key
from infra.local.http.gateway import Manners
from tests.adapters.aws_account import load_template
from tests.adapters.http_calls import event
from tests.api_routes import ROUTES, function_of
from tests.template_routes import template_routes

if TYPE_CHECKING:
    import logging

TEMPLATE = load_template()
API_FUNCTIONS = sorted(set(template_routes(TEMPLATE).values()))


# The document leaves out the icon, because generators of clients warn of a picture, and protocols of other services.
UNDOCUMENTED = {
    "ResultFunction": {route.key for route in ICON_ROUTES},
    "DialectsFunction": {re.sub(r"{\w+}", "{}", row.key) for dialect in DIALECTS for row in dialect.routes},
}


def served(function: str) -> set[str]:
    """The routes of a function's resolver; `{}` stands for a variable."""
    handler = TEMPLATE["Resources"][function]["Properties"]["Handler"]
    resolver = importlib.import_module(handler.removesuffix(".handler")).handler.__self__.new()
    routes = [*resolver._static_routes, *resolver._dynamic_routes]
    return {f"{route.method} {re.sub(r'<\w+\+?>', '{}', route.path)}" for route in routes}


def documented(function: str) -> set[str]:
    """The routes of the document that the template leads to a function."""
    return {
        f"{method} {re.sub(r'{\w+}', '{}', path)}"
        for path, methods in ROUTES.items()
        for method in methods
        if function_of(TEMPLATE, method, path) == function
    }


@pytest.mark.parametrize("function", API_FUNCTIONS)
def test_a_function_serves_exactly_the_documented_routes_that_lead_to_it(function: str) -> None:
    assert served(function) == documented(function) | UNDOCUMENTED.get(function, set())
    assert served(function)


def test_a_path_below_a_greedy_route_leads_to_the_function_of_the_bare_path() -> None:
    greedy = {key: function for key, function in template_routes(TEMPLATE).items() if key.endswith("/{proxy+}")}
    assert greedy
    for key, function in greedy.items():
        bare = key.removesuffix("/{proxy+}").partition(" ")[2]
        assert function_of(TEMPLATE, "PUT", f"{bare}/x/y") == function
        assert bare not in ROUTES or function_of(TEMPLATE, "PUT", bare) == function


ALL_ROUTES = [*DOCUMENTED_ROUTES, *(row for dialect in DIALECTS for row in dialect.served())]


def test_a_route_with_a_wait_in_its_query_says_that_it_waits() -> None:
    """A route that waits and does not say so waits on AWS, and answers at once on one machine."""
    documented = {
        row.key: "by_default" if each["schema"].get("default") else "if_asked"
        for row in ALL_ROUTES
        for each in row.parameters
        if each["name"] == "wait"
    }
    assert len(documented) >= 6
    assert {row.key: row.waits for row in ALL_ROUTES if row.key in documented} == documented


def test_the_gateway_of_one_machine_finds_the_row_of_each_request() -> None:
    """It looks through the special rows only: an ordinary path must fit none of them."""
    manners = Manners(ALL_ROUTES)
    for row in ALL_ROUTES:
        scope = {"method": row.method, "path": re.sub(r"{\w+\+?}", "x", row.path)}
        found = manners.of(scope)
        assert (found.waits, found.read_max_bytes, found.is_health) == (row.waits, row.read_max_bytes, row.is_health)


@pytest.mark.parametrize(
    "path",
    [
        "/sandboxfusion/{}/run_code",
        "/sandboxfusion/{}",
        "//sandboxfusion//{}//run_code",
        "/SandboxFusion/{}/run_code",
        "/run_code/sandboxfusion/{}",
        "/{}/run_code",
        "/sandbox-fusion/{}?x={}",
        "/sandboxfusion/run_code/{}/sandboxfusion/{}",
    ],
)
def test_no_line_of_the_gateway_has_an_api_key_wherever_a_client_put_it(path: str) -> None:
    key = new_key()
    assert key not in Manners(ALL_ROUTES).loggable(path.replace("{}", key))


def test_a_secret_in_a_path_is_hidden_in_any_form() -> None:
    manners = Manners(ALL_ROUTES)
    assert manners.loggable("/sandboxfusion/not-a-key/run_code") == "/sandboxfusion/…/run_code"
    assert manners.loggable("//sandboxfusion//not-a-key/run_code") == "//sandboxfusion//…/run_code"
    assert manners.loggable("/api/results") == "/api/results"


def test_the_gateway_finds_the_key_of_a_path_that_has_one() -> None:
    manners = Manners(ALL_ROUTES)
    assert manners.key_in("/sandboxfusion/a.1/run_code") == "a.1"
    others = ("/sandboxfusion/run_code", "/sandboxfusion//x/run_code", "/judge0/submissions/x/y", "/api/ping/a.1/0")
    assert [manners.key_in(path) for path in others] == [""] * 4


def test_no_route_that_waits_has_a_body_that_stays_unread() -> None:
    """The gateway looks for the end of a waiting client in its body."""
    assert [row.key for row in ALL_ROUTES if row.waits != "never" and row.read_max_bytes is not None] == []


LOG = Logger(service="things")


class Things:
    def page(self, _app: Resolver) -> Response[str]:
        return answer({"page": True})

    def one(self, app: Resolver, id_text: str, part: str) -> Response[str]:
        LOG.info("Thing shown", request_id=app.request_id)
        if part == "broken":
            raise ConflictError("It is broken.")
        return answer({"id": id_text, "part": part})


THING_ROUTES: tuple[Route[Things], ...] = (
    Route("GET /api/things", Things.page, "listThings", "List things", {}),
    Route("POST /api/things", Things.page, "listThings", "List things", {}),
    Route("GET /api/things/{id}/{part}", Things.one, "getPart", "Show a part", {}),
)


def ask(method: str, path: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Answer a request to a resolver with THING_ROUTES; return the answer and the logged lines."""
    stream = io.StringIO()
    cast("logging.StreamHandler[Any]", LOG.registered_handler).setStream(stream)
    resolver = Resolver(LOG)
    resolver.serve(THING_ROUTES, Things)
    answered = resolver.resolve(event(method, path), None)
    return answered, [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_method_of_the_part_gets_the_variables_of_the_path_in_their_order() -> None:
    answered, _ = ask("GET", "/api/things/7/stdout")
    assert json.loads(answered["body"]) == {"id": "7", "part": "stdout"}
    assert json.loads(ask("POST", "/api/things")[0]["body"]) == {"page": True}


def test_threads_share_few_resolvers_which_forget_their_requests() -> None:
    class Meeting:
        def one(self, app: Resolver, id_text: str) -> Response[str]:
            everybody.wait()  # so that all are under way at once
            assert (app.request_id, len(app.current_event.body or "")) == (id_text, 1_000_000)
            return answer({"id": id_text})

    everybody = threading.Barrier(40, timeout=60)
    routes = (Route("GET /api/things/{id}", Meeting.one, "getThing", "Show a thing", {}),)
    made = list[weakref.ref[Resolver]]()

    def build() -> Resolver:
        resolver = Resolver(LOG)
        resolver.serve(routes, Meeting)
        made.append(weakref.ref(resolver))
        return resolver

    def call(number: int) -> object:
        asked = event("GET", f"/api/things/{number}") | {"body": "x" * 1_000_000}
        asked["requestContext"]["requestId"] = str(number)
        return json.loads(resolvers.resolve(asked, None)["body"])["id"]

    resolvers = Resolvers(build)
    numbers = range(100, 140)
    with ThreadPoolExecutor(40) as threads:
        for turn in range(2):
            tracemalloc.start()
            assert [*threads.map(call, numbers)] == [*map(str, numbers)]
            gc.collect()
            kept_bytes, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert len([each for each in made if each() is not None]) <= 8, turn
            assert kept_bytes < 5_000_000


def test_log_lines_name_the_route() -> None:
    """The gateway's access log names the route of the template, `ANY /api/things/{proxy+}`."""
    assert [line["route"] for line in ask("GET", "/api/things/7/stdout")[1]] == ["GET /api/things/{id}/{part}"]


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/api/things/7", 404, None),
        ("GET", "/api/things/7/a/b", 404, None),
        ("GET", "/api/things/", 404, None),
        ("DELETE", "/api/things", 405, "GET, POST"),
        ("POST", "/api/things/7/a", 405, "GET"),
        ("GET", "/api/things/\u2028/a", 400, None),
    ],
)
def test_a_function_answers_unknown_paths_and_methods(method: str, path: str, status: int, allow: str | None) -> None:
    answered, _ = ask(method, path)
    headers = {name.lower(): value for name, value in answered["headers"].items()}
    assert (answered["statusCode"], headers.get("allow")) == (status, allow)


def test_a_refusal_is_logged_with_its_route_and_code() -> None:
    line = ask("GET", "/api/things/7/broken")[1][-1]
    assert (line["message"], line["route"]) == ("Request refused", "GET /api/things/{id}/{part}")
    assert (line["status_code"], line["error_code"]) == (409, "conflict")
